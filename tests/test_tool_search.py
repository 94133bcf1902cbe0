"""Tools that wait to be found: what the model is offered before and after a search that runs here."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from tests import mcp_servers
from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.told import ended, eventually, output
from tests.upstream import Script, calls, says, together

Json = dict[str, Any]
SEARCH: Any = {"type": "tool_search"}


@pytest.fixture(scope="module")
def many() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("many") as server:
        yield server


def function(name: str, description: str, **fields: Any) -> Any:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"type": "function", "name": name, "description": description, "parameters": parameters,
            "defer_loading": True, **fields}  # fmt: skip


WEATHER = function("get_weather", "The weather of a place.")
CRM: Any = {"type": "namespace", "name": "crm", "description": "Customers and what they ordered.", "tools": [
    function("listOpenOrders", "Open orders of a customer."), function("find_customer", "A customer by name."),
    function("note", "Adds a note.", defer_loading=False),
]}  # fmt: skip


@promise("tool_search.hidden", "tool_search.found", "tool_search.order")
def test_a_tool_of_a_server_is_found_and_called_in_one_response(
    tell: Tell, script: Script, many: mcp_servers.Server
) -> None:
    script.will(calls("tool_search", query="invoices to be read"), calls("read_invoice", key="7"), says("Done."))
    tools = [SEARCH, many.tool(defer_loading=True, server_description="All that a firm keeps.")]
    events = tell(input="q", tools=tools)
    first, second, third = (ask.tool_names() for ask in script.seen)
    assert first == ["tool_search"], "forty tools are not offered"
    assert "read_invoice" in second
    assert len(second) <= 9, "eight were found"
    assert third == second
    listed, call, found, made, _ = output(events)
    assert len(listed["tools"]) == 40
    assert {key: call[key] for key in ("type", "execution", "call_id", "status", "arguments")} == {
        "type": "tool_search_call", "execution": "server", "call_id": None, "status": "completed",
        "arguments": {"query": "invoices to be read"},
    }  # fmt: skip
    assert (found["type"], found["execution"], found["call_id"]) == ("tool_search_output", "server", None)
    (server,) = found["tools"]
    assert (server["type"], server["server_label"]) == ("mcp", "many")
    assert server["allowed_tools"][0] == "read_invoice"
    assert (made["type"], made["output"]) == ("mcp_call", "read invoice 7")
    assert "All that a firm keeps." in script.seen[0].tool("tool_search")["description"]
    assert "40" in script.seen[0].tool("tool_search")["description"]
    (told,) = [message for message in script.seen[1].messages if message["role"] == "tool"]
    assert "read_invoice" in told["content"]


@promise("tool_search.context")
def test_the_context_of_forty_tools_is_a_tenth(
    client: OpenAI, script: Script, model: str, many: mcp_servers.Server
) -> None:
    script.will(says("1"), says("2"))
    for tools in ([many.tool()], [SEARCH, many.tool(defer_loading=True)]):
        client.responses.create(model=model, input="q", tools=tools)
    whole, deferred = (len(json.dumps(ask.body["tools"])) for ask in script.seen)
    assert deferred * 10 < whole


@promise("tool_search.chain")
def test_what_was_found_stays_found_in_the_chain_and_for_who_keeps_his_own_history(
    client: OpenAI, script: Script, model: str, many: mcp_servers.Server
) -> None:
    script.will(calls("tool_search", query="delete a shipment"), says("Found."))
    script.will(calls("delete_shipment", key="1"), says("Done."))
    script.will(calls("delete_shipment", key="2"), says("Done."))
    tools: Any = [SEARCH, many.tool(defer_loading=True)]
    first = client.responses.create(model=model, input="q", tools=tools)
    chained = client.responses.create(model=model, input="Now.", previous_response_id=first.id, tools=tools)
    assert "delete_shipment" in script.seen[2].tool_names()
    history: Any = [{"role": "user", "content": "q"}, *(item.to_dict() for item in first.output)]
    history.append({"role": "user", "content": "Now."})
    stateless = client.responses.create(model=model, input=history, store=False, tools=tools)
    assert script.seen[4].tool_names() == script.seen[2].tool_names()
    assert [item.type for item in chained.output] == [item.type for item in stateless.output]
    made: Any = stateless.output[0]
    assert made.output == "delete shipment 2"
    said = [[message["role"] for message in ask.messages] for ask in (script.seen[2], script.seen[4])]
    assert said[0] == said[1] == ["user", "assistant", "tool", "assistant", "user"]


@promise("tool_search.client_tools")
def test_functions_and_members_of_namespaces_wait_to_be_found_too(
    tell: Tell, script: Script, client: OpenAI, model: str
) -> None:
    script.will(calls("tool_search", query="open orders"), calls("crm__listOpenOrders", city="Rome"))
    tools = [WEATHER, CRM, SEARCH]
    events = tell(input="q", tools=tools)
    assert script.seen[0].tool_names() == ["tool_search", "crm__note"]
    assert "crm__listOpenOrders" in script.seen[1].tool_names()
    assert "get_weather" not in script.seen[1].tool_names()
    _, found, call = output(events)
    (namespace,) = found["tools"]
    assert (namespace["name"], namespace["tools"][0]["name"]) == ("crm", "listOpenOrders")
    assert (call["name"], call["namespace"]) == ("listOpenOrders", "crm")
    script.will(says("Done."))
    answer: Any = [{"type": "function_call_output", "call_id": call["call_id"], "output": "none"}]
    parent = events[-1]["response"]["id"]
    client.responses.create(model=model, input=answer, previous_response_id=parent, tools=tools)
    assert "crm__listOpenOrders" in script.last.tool_names()


@promise("tool_search.query")
def test_a_namespace_that_is_named_is_found_whole_and_nonsense_finds_nothing(tell: Tell, script: Script) -> None:
    script.will(together(("tool_search", {"query": "CRM"}), ("tool_search", {"query": 'zzz "* OR'})), says("Done."))
    events = tell(input="q", tools=[WEATHER, CRM, SEARCH])
    found = [item["tools"] for item in output(events) if item["type"] == "tool_search_output"]
    named = next(tools for tools in found if tools)
    assert [member["name"] for member in named[0]["tools"]] == ["listOpenOrders", "find_customer"]
    assert [] in found
    told = [message["content"] for message in script.last.messages if message["role"] == "tool"]
    assert "No tool fits" in told[1]
    assert "crm (2): Customers" in told[1]


@promise("tool_search.capped")
def test_what_one_search_adds_to_the_context_is_limited_and_the_rest_is_told(tell: Tell, script: Script) -> None:
    script.will(calls("tool_search", query="weather"), calls("tool_search", query="crm"), says("Done."))
    wordy = [function(f"weather_{at}", "The weather. " + "Very long. " * 2000) for at in range(3)]
    narrow = [function(f"f{at}", "Does something.") for at in range(40)]
    tools = [*wordy, {"type": "namespace", "name": "crm", "tools": narrow}, SEARCH]
    first, second = [
        item["tools"] for item in output(tell(input="q", tools=tools)) if item["type"] == "tool_search_output"
    ]
    told = [message["content"] for message in script.last.messages if message["role"] == "tool"]
    assert [tool["name"] for tool in first] == ["weather_0"]
    assert "2 more fit" in told[0]
    assert len(told[0]) < 1000
    assert len(second[0]["tools"]) == 32
    assert "8 more fit" in told[1]


@promise("tool_search.query")
def test_a_question_finds_what_it_is_about_and_not_what_shares_its_small_words(
    tell: Tell, script: Script, many: mcp_servers.Server
) -> None:
    script.will(calls("tool_search", query="What is the status of my shipments?"), says("Done."))
    tell(input="q", tools=[SEARCH, WEATHER, many.tool(defer_loading=True)])
    found = {f"{verb}_shipment" for verb in ("list", "read", "create", "update", "delete")}
    assert set(script.last.tool_names()) == {*found, "tool_search"}


@promise("tool_search.query")
@pytest.mark.parametrize("arguments", ["{}", '{"query": 5}', '{"query": " "}', "[1]", '{"que'])
def test_a_search_for_nothing_is_told_to_the_model(tell: Tell, script: Script, arguments: str) -> None:
    script.will(calls("tool_search", arguments), says("Done."))
    (call, *_) = output(tell(input="q", tools=[WEATHER, SEARCH]))
    assert (call["type"], call["status"]) == ("tool_search_call", "incomplete")


@promise("tool_search.choice")
def test_a_tool_that_is_forced_needs_no_search_and_allowed_ones_are_found_by_it(
    client: OpenAI, script: Script, model: str, many: mcp_servers.Server
) -> None:
    tools: Any = [SEARCH, WEATHER, many.tool(defer_loading=True)]
    script.will(calls("get_weather", city="Rome"))
    client.responses.create(
        model=model, input="q", tools=tools, tool_choice={"type": "function", "name": "get_weather"}
    )
    assert script.last.tool_names() == ["tool_search", "get_weather"]
    script.will(calls("read_recipe", key="pie"), says("Done."))
    one: Any = {"type": "mcp", "server_label": "many", "name": "read_recipe"}
    forced = client.responses.create(model=model, input="q", tools=tools, tool_choice=one)
    assert [item.type for item in forced.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert script.last.tool_names() == ["read_recipe", "tool_search"]
    script.will(calls("tool_search", query="weather or recipe"), says("Done."))
    allowed: Any = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "many"}]}
    client.responses.create(model=model, input="q", tools=tools, tool_choice=allowed)
    before, after = (set(ask.tool_names()) for ask in script.seen[3:])
    assert before == {"tool_search"}
    assert "read_recipe" in after
    assert "get_weather" not in after, "found, and not allowed"


@promise("tool_search.approval")
def test_a_call_of_a_found_tool_waits_for_its_approval(
    client: OpenAI, script: Script, model: str, many: mcp_servers.Server
) -> None:
    tools: Any = [SEARCH, many.tool(defer_loading=True, require_approval="always")]
    script.will(calls("tool_search", query="create flight"), calls("create_flight", key="LH1"), says("Done."))
    asked = client.responses.create(model=model, input="q", tools=tools)
    request = asked.output[-1]
    assert request.type == "mcp_approval_request"
    answer: Any = [{"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True}]
    done = client.responses.create(model=model, input=answer, previous_response_id=asked.id, tools=tools)
    made: Any = done.output[0]
    assert (made.type, made.output) == ("mcp_call", "create flight LH1")


@promise("tool_search.checked")
@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([WEATHER], "tools[0].defer_loading"),
        ([SEARCH, {**WEATHER, "defer_loading": False}], "tools[0]"),
        ([WEATHER, SEARCH, SEARCH], "tools[2]"),
        ([WEATHER, {**SEARCH, "execution": "nowhere"}], "tools[1].execution"),
        ([WEATHER, {**SEARCH, "description": 5}], "tools[1].description"),
        ([SEARCH, {"type": "mcp", "server_label": "a", "server_url": "http://127.0.0.1:9/", "defer_loading": "yes"}],
         "tools[1].defer_loading"),
    ],
)  # fmt: skip
def test_a_search_without_tools_to_find_and_the_reverse_are_refused(
    http: httpx2.Client, model: str, tools: Any, param: str
) -> None:
    answer = http.post("/responses", json={"model": model, "input": "q", "tools": tools})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


@promise("tool_search.checked")
def test_a_search_beside_a_namespace_that_waits_for_nothing_is_taken_as_openai_agents_may_send_it(
    tell: Tell, script: Script
) -> None:
    script.will(says("Done."))
    ready = {"type": "namespace", "name": "crm", "description": "", "tools": [{**WEATHER, "defer_loading": False}]}
    tell(input="q", tools=[SEARCH, ready])
    assert script.last.tool_names() == ["crm__get_weather"]


@promise("tool_search.secrets")
def test_credentials_in_a_found_server_of_the_input_are_not_kept(
    client: OpenAI, script: Script, model: str, many: mcp_servers.Server
) -> None:
    script.will(calls("list_recipe"), says("Done."))
    found: Json = {**many.tool(allowed_tools=["list_recipe"], authorization="sk-secret-0123"), "defer_loading": True}
    history: Any = [
        {"role": "user", "content": "q"},
        {"type": "tool_search_call", "execution": "server", "arguments": {"paths": ["many"]}},
        {"type": "tool_search_output", "execution": "server", "tools": [found]},
    ]
    tools: Any = [SEARCH, many.tool(defer_loading=True)]
    made = client.responses.create(model=model, input=history, tools=tools)
    assert [item.type for item in made.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert "sk-secret" not in client.responses.input_items.list(made.id).to_json()


@promise("tool_search.resumed")
def test_what_was_found_before_the_server_died_can_be_called_by_the_next(
    start_server: StartServer, recorder: Recorder, script: Script, model: str, many: mcp_servers.Server
) -> None:
    slow = ("update_contact", {"key": "9", "seconds": 30})
    script.will(calls("tool_search", query="update a contact"), together(("tool_search", {"query": "a flight"}), slow))
    script.will(calls("read_flight", key="LH1"), says("Done."))
    tools: Any = [SEARCH, many.tool(defer_loading=True)]
    ours = start_server(GRAPHNEXUS_LEASE_S="1")
    before = many.counts()["tools/call"]
    with client_of(ours, recorder) as client:
        made = client.responses.create(model=model, input="q", tools=tools, background=True)

        def is_called() -> None:
            assert many.counts()["tools/call"] > before

        eventually(is_called, AssertionError)
        ours.kill()
        ours.start()
        done = ended(client, made.id)
    assert done.status == "completed"
    kinds = Counter(item.type for item in done.output)
    assert kinds == {"mcp_list_tools": 1, "tool_search_call": 2, "tool_search_output": 2, "mcp_call": 2, "message": 1}
    assert {"update_contact", "read_flight"} <= set(script.last.tool_names())
    called: Any = [item for item in done.output if item.type == "mcp_call"]
    assert [item.status for item in called] == ["failed", "completed"], "the first may have taken effect"


@promise("tool_search.agents")
async def test_an_agent_searches_the_tools_of_a_server_and_the_client(
    async_client: AsyncOpenAI, script: Script, model: str, many: mcp_servers.Server
) -> None:
    from agents import Agent, HostedMCPTool, OpenAIResponsesModel, RunConfig, Runner, ToolSearchTool, function_tool

    @function_tool(defer_loading=True)
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"clear in {city}"

    server: Any = many.tool(defer_loading=True)
    script.will(calls("tool_search", query="weather"), calls("get_weather", city="Oslo"))
    script.will(calls("tool_search", query="list a ticket"), calls("list_ticket", key="3"), says("Clear."))
    responses = OpenAIResponsesModel(model=model, openai_client=async_client)
    agent = Agent(name="a", model=responses, tools=[ToolSearchTool(), HostedMCPTool(tool_config=server), get_weather])
    run = Runner.run_streamed(agent, "q", run_config=RunConfig(tracing_disabled=True))
    async for _ in run.stream_events():
        pass
    assert run.final_output == "Clear."
    told = [message["content"] for message in script.last.messages if message["role"] == "tool"]
    assert (told[1], told[3]) == ("clear in Oslo", "list ticket 3")


@promise("tool_search.client_tools")
def test_a_custom_tool_is_found_and_called(tell: Tell, script: Script) -> None:
    script.will(calls("tool_search", query="run SQL"), calls("sql", input="SELECT 1"))
    custom = {"type": "custom", "name": "sql", "description": "Runs SQL.", "defer_loading": True}
    bare = {"type": "function", "name": "run", "defer_loading": True}
    _, found, call = output(tell(input="q", tools=[SEARCH, WEATHER, custom, bare]))
    assert {tool["name"] for tool in found["tools"]} == {"sql", "run"}
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "sql", "SELECT 1")


@promise("tool_search.client_tools")
def test_a_function_that_was_found_is_called_in_a_namespace_of_its_own_name(
    client: OpenAI, script: Script, model: str
) -> None:
    script.will(calls("tool_search", query="weather"), *[calls("get_weather", city="Oslo")] * 3)
    tools: Any = [SEARCH, WEATHER]
    made: Any = client.responses.create(model=model, input="q", tools=tools)
    history: Any = [{"role": "user", "content": "q"}]
    for chained in (True, False):
        call = made.output[-1]
        assert (call.name, call.namespace) == ("get_weather", "get_weather")
        answer: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        history += [*(item.to_dict() for item in made.output), *answer]
        more: Any = {"input": answer, "previous_response_id": made.id} if chained else {"input": history}
        made = client.responses.create(model=model, tools=tools, **more)
        assert set(script.last.tool_names()) == {"get_weather", "tool_search"}
        said = [call["function"]["name"] for one in script.last.messages for call in one.get("tool_calls") or ()]
        assert set(said) == {"tool_search", "get_weather"}
    assert made.output[-1].namespace == "get_weather"
