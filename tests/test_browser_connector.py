"""How callers ask for a browser: as a tool of ours and as a connector, and what their SDKs make of its steps."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests import pages
from tests.clients.running import needs_node, run_node
from tests.conftest import check_log
from tests.contract import promise
from tests.mcp.approving import answer, requests_of, types
from tests.mcp.operated import caller, operated
from tests.mcp.told import told
from tests.process import ROOT, Server
from tests.recorder import Recorder
from tests.site import Site, serving
from tests.test_browser import ref
from tests.test_docs import blocks
from tests.told import ended, kinds
from tests.upstream import Ask, Script, Upstream, calls, says, together

Json = dict[str, Any]
BROWSER: Any = {"type": "browser"}
#: Counts in a cookie how often this browser has been here.
COUNTS = b"""<title>Here</title><p id=c></p><script>
const visits = Number(document.cookie.split('=')[1] ?? 0) + 1
document.cookie = 'visits=' + visits
c.textContent = 'visit ' + visits
</script>"""
#: Nobody's browser goes there without a yes, whatever it is called in a request.
RULES = """
browser_allowed_hosts = ["127.0.0.1"]

[[approval]]
policy = "always"
server = "browser"
arguments = { url = "*/guarded" }
"""


def connector(label: str = "web", **fields: Any) -> Any:
    never = {"require_approval": "never"}
    return {"type": "mcp", "server_label": label, "connector_id": "connector_browser", **never, **fields}


def goes(url: str) -> Any:
    return calls("browser_navigate", {"url": url})


def read(ask: Ask) -> str:
    """What the model has read last."""
    return ask.messages[-1]["content"]


def clicks(line: str) -> Any:
    return lambda ask: calls("browser_click", ref=ref(read(ask), line))


def steps(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "mcp_call"]


def asked(script: Script) -> set[str]:
    """What the model is offered of the browser."""
    return {name for name in script.last.tool_names() if name.startswith("browser_")}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        pages.put(site)
        site.has("/", COUNTS, content_type="text/html")
        site.has("/guarded", b"<title>Guarded</title>Inside", content_type="text/html")
        site.has("/file", b"a,b\n1,2\n", content_type="text/csv", content_disposition='attachment; filename="t.csv"')
        yield site


@pytest.fixture(scope="module")
def ours(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with operated(tmp_path_factory.mktemp("connector"), upstream.url, RULES) as server:
        yield server
        assert server.stop() == 0
    check_log(server.log())


@pytest.fixture
def ann(ours: Server, recorder: Recorder) -> Iterator[OpenAI]:
    with caller(ours, recorder) as client:
        yield client


@pytest.fixture
def bob(ours: Server, recorder: Recorder) -> Iterator[OpenAI]:
    with caller(ours, recorder, "bob") as client:
        yield client


# ---------------------------------------------------------------- both ways


@promise("browser.connector")
def test_the_connector_lists_its_tools_as_a_server_would(ann: OpenAI, script: Script, site: Site) -> None:
    script.will(goes(site.url("/")), says("Seen."), goes(site.url("/")), says("Again."))
    tool = connector(server_description="The web.")
    made = ann.responses.create(model=script.model, input="Go.", tools=[tool])
    again = ann.responses.create(model=script.model, input="On.", tools=[tool], previous_response_id=made.id)
    assert (types(made), types(again)) == (["mcp_list_tools", "mcp_call", "message"], ["mcp_call", "message"])
    listed: Any = made.output[0]
    assert (listed.server_label, {one.name for one in listed.tools}) == ("web", asked(script))
    hints = {one.name: one.annotations["read_only"] for one in listed.tools}
    assert hints["browser_navigate"] is False
    assert all(one.description and one.input_schema["type"] == "object" for one in listed.tools)
    assert made.tools[0].to_dict() == {
        "type": "mcp", "server_label": "web", "connector_id": "connector_browser", "server_url": None,
        "server_description": "The web.", "allowed_tools": None, "headers": None, "require_approval": "never",
    }  # fmt: skip
    assert [step.server_label for step in (*steps(made), *steps(again))] == ["web", "web"]
    assert "visit 2" in steps(again)[0].output


@promise("browser.declared")
def test_a_browser_lists_nothing_and_is_echoed_with_its_defaults(ann: OpenAI, script: Script) -> None:
    script.will(says("a"), says("b"))
    choice: Any = {"type": "browser"}
    made = ann.responses.create(model=script.model, input="Go.", tools=[BROWSER], tool_choice=choice)
    assert types(made) == ["message"]
    said = made.to_dict(warnings=False)
    assert said["tools"] == [{"type": "browser", "allowed_tools": None, "require_approval": "never"}]
    assert said["tool_choice"] == choice
    assert {tool["function"]["name"] for tool in script.last.body["tools"]} == asked(script)
    with pytest.raises(openai.BadRequestError, match="not found in 'tools'"):
        ann.responses.create(model=script.model, input="Go.", tools=[connector()], tool_choice=choice)
    only: Any = {"type": "browser", "allowed_tools": ["browser_navigate"]}
    ann.responses.create(model=script.model, input="Go.", tools=[only], tool_choice=choice)
    assert script.last.body["tool_choice"] == {"type": "function", "function": {"name": "browser_navigate"}}


@promise("browser.declared", "browser.connector")
def test_allowed_tools_are_all_the_model_is_offered(ann: OpenAI, script: Script) -> None:
    script.will(*[says("ok")] * 4)
    offered = list[set[str]]()
    for allowed in (["browser_navigate"], {"read_only": True}):
        for tool in (BROWSER | {"allowed_tools": allowed}, connector(allowed_tools=allowed)):
            ann.responses.create(model=script.model, input="Go.", tools=[tool])
            offered.append(asked(script))
    assert offered[:2] == [{"browser_navigate"}] * 2
    assert offered[2] == offered[3]
    assert "browser_navigate" not in offered[2]


@promise("browser.declared")
@pytest.mark.parametrize(("fields", "param", "code"), [
    ({"allowed_tools": "browser_navigate"}, "tools[0].allowed_tools", "invalid_type"),
    ({"require_approval": "sometimes"}, "tools[0].require_approval", "invalid_value"),
    ({"server_url": "https://example.com/mcp"}, "tools[0].server_url", "unsupported_parameter"),
    ({"authorization": "sk-mine"}, "tools[0].authorization", "unsupported_parameter"),
])  # fmt: skip
def test_what_a_browser_does_not_take_is_refused(
    ann: OpenAI, script: Script, fields: Any, param: str, code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ann.responses.create(model=script.model, input="Go.", tools=[BROWSER | fields])
    assert (refused.value.param, refused.value.code) == (param, code)


@promise("browser.declared", "browser.connector")
def test_there_is_one_browser_a_response_and_nobody_shows_it_credentials(ann: OpenAI, script: Script) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ann.responses.create(model=script.model, input="Go.", tools=[BROWSER, BROWSER])
    assert refused.value.param == "tools[1]"
    with pytest.raises(openai.BadRequestError, match="another 'server_label'"):
        ann.responses.create(model=script.model, input="Go.", tools=[BROWSER, connector("browser")])
    with pytest.raises(openai.BadRequestError) as refused:
        ann.responses.create(model=script.model, input="Go.", tools=[connector(authorization="sk-mine")])
    assert refused.value.param == "tools[0].authorization"


# ---------------------------------------------------------------- approvals


@promise("browser.approvals")
def test_the_connector_asks_as_mcp_does_and_a_browser_when_told(ann: OpenAI, script: Script, site: Site) -> None:
    for tool in (connector(require_approval=None), BROWSER | {"require_approval": "always"}):
        script.will(goes(site.url("/")), says("Seen."))
        waits = ann.responses.create(model=script.model, input="Go.", tools=[tool])
        (asks,) = requests_of(waits)
        assert steps(waits) == []
        yes: Any = [answer(asks)]
        made = ann.responses.create(model=script.model, input=yes, tools=[tool], previous_response_id=waits.id)
        (step,) = steps(made)
        assert (step.approval_request_id, step.status) == (asks, "completed")
        assert made.output_text == "Seen."


@promise("browser.approvals")
def test_a_rule_of_the_operators_holds_for_all_ways(ann: OpenAI, script: Script, site: Site) -> None:
    computer = {"type": "computer", "executor": "server"}
    for tool in (BROWSER, connector(label="anything"), computer):
        before = site.asked["/guarded"]
        script.will(calls("computer", url=site.url("/guarded")) if tool is computer else goes(site.url("/guarded")))
        waits = ann.responses.create(model=script.model, input="Go.", tools=[tool])
        assert (len(requests_of(waits)), steps(waits)) == (1, [])
        assert site.asked["/guarded"] == before


# ---------------------------------------------------------------- the same browser, and nobody else's


@promise("browser.kept")
def test_a_client_that_sends_its_history_back_finds_its_browser_and_nobody_elses(
    ann: OpenAI, bob: OpenAI, script: Script, site: Site
) -> None:
    script.will(
        goes(site.url("/")), says("Set."), goes(site.url("/")), says("There."), goes(site.url("/")), says("No.")
    )
    made = ann.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    asks: Json = {"role": "user", "content": "On."}
    history: Any = [{"role": "user", "content": "Go."}, *[item.to_dict() for item in made.output], asks]
    again = ann.responses.create(model=script.model, input=history, tools=[BROWSER], store=False)
    stolen = bob.responses.create(model=script.model, input=history, tools=[BROWSER], store=False)
    said = [steps(response)[0].output for response in (again, stolen)]
    assert ["fresh browser" in text for text in said] == [False, True]
    ids = [steps(response)[0].to_dict()["browser_id"] for response in (made, again)]
    assert ids[0] == ids[1]
    assert ["visit 2" in text for text in said] == [True, False]
    screenshot = steps(made)[0].to_dict()["screenshot"]["file_id"]
    assert ann.files.content(screenshot).read().startswith(b"\xff\xd8\xff")
    with pytest.raises(openai.NotFoundError):
        bob.files.content(screenshot)
    assert "screenshot" not in steps(again)[0].to_dict(), "a response that is not stored leaves nothing behind"


@promise("browser.connector")
def test_a_list_that_a_client_made_up_changes_nothing(ann: OpenAI, script: Script, site: Site) -> None:
    tools = [{"name": "browser_fly", "input_schema": {"type": "object"}}]
    made_up: Any = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "web", "tools": tools}
    script.will(goes(site.url("/")), says("Seen."))
    made = ann.responses.create(
        model=script.model, input=[made_up, {"role": "user", "content": "Go."}], tools=[connector()]
    )
    assert [step.status for step in steps(made)] == ["completed"]
    assert "browser_fly" not in asked(script)


# ---------------------------------------------------------------- steps


@promise("browser.events")
@pytest.mark.parametrize("tool", [BROWSER, connector()])
def test_a_step_is_streamed_as_a_call_of_a_server_is(
    ann: OpenAI, script: Script, site: Site, recorder: Recorder, tool: Any
) -> None:
    script.will(goes(site.url("/")), goes("file:///etc/passwd"), says("Seen."))
    for _ in ann.responses.create(model=script.model, input="Go.", tools=[tool], stream=True):
        pass
    events = recorder.last.grammar().events
    begun = ["mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done"]
    said = [kind for kind in kinds(events) if kind.startswith("mcp_call")]
    assert said == [*begun, "mcp_call.completed", *begun, "mcp_call.failed"]
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    done, failed = [item for item in items if item["type"] == "mcp_call"]
    assert (done["status"], json.loads(done["arguments"])) == ("completed", {"url": site.url("/")})
    assert (failed["status"], failed["error"]["type"]) == ("failed", "mcp_tool_execution_error")
    assert "Only pages of the web" in json.dumps(failed["error"])
    began = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    assert {item["browser_id"] for item in (done, failed, *began) if item["type"] == "mcp_call"} == {done["browser_id"]}
    assert ["visit 1" in told(script)[0], "Only pages of the web" in told(script)[1]] == [True, True]


@promise("browser.kept")
def test_steps_of_one_turn_are_made_in_their_order(ann: OpenAI, script: Script, site: Site) -> None:
    here = ("browser_navigate", {"url": site.url("/")})
    script.will(together(here, here, here, here, interleave=True), says("Seen."))
    made = ann.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    assert [step.output.partition("visit ")[2][0] for step in steps(made)] == ["1", "2", "3", "4"]


@promise("browser.cancelled")
def test_cancelling_a_response_stops_its_step(ann: OpenAI, script: Script, site: Site) -> None:
    script.will(goes(site.url("/")), says("Seen."), goes(site.url("/stalls")), goes(site.url("/")), says("Seen."))
    before = site.asked["/stalls"]
    ask: Any = {"model": script.model, "input": "Go.", "tools": [BROWSER]}
    first = ann.responses.create(**ask)
    begun = ann.responses.create(**ask, background=True, previous_response_id=first.id)
    until = time.monotonic() + 15
    while site.asked["/stalls"] == before:
        assert time.monotonic() < until, "the page was not asked for"
        time.sleep(0.02)
    ann.responses.cancel(begun.id)
    assert ended(ann, begun.id).status == "cancelled"
    began = time.monotonic()
    made = ann.responses.create(**ask, previous_response_id=first.id)
    assert ("visit 2" in steps(made)[0].output, time.monotonic() - began < 15) == (True, True)


@promise("browser.downloads")
def test_a_download_is_there_for_the_code_of_the_run(ann: OpenAI, script: Script, site: Site) -> None:
    code = calls("code_interpreter", code="print(open('/mnt/data/t.csv').read())")
    script.will(goes(site.url("/file")), code, says("Read."))
    tools: Any = [connector(), {"type": "code_interpreter", "container": {"type": "auto"}}]
    made = ann.responses.create(model=script.model, input="Go.", tools=tools)
    assert "finds it in /mnt/data" in steps(made)[0].output
    assert "a,b\n1,2" in told(script)[1]


@promise("browser.connector")
def test_the_tools_of_the_connector_wait_to_be_found(ann: OpenAI, script: Script, site: Site) -> None:
    script.will(calls("tool_search", query="open a URL in the browser"), goes(site.url("/")), says("Seen."))
    tools: Any = [{"type": "tool_search"}, connector(defer_loading=True, server_description="The web.")]
    made = ann.responses.create(model=script.model, input="Go.", tools=tools)
    assert not [name for name in script.seen[0].tool_names() if name.startswith("browser_")]
    assert ("browser_navigate" in asked(script), [step.status for step in steps(made)]) == (True, ["completed"])


# ---------------------------------------------------------------- SDKs


@promise("browser.sdk")
async def test_the_examples_of_the_docs_do_what_they_say(
    ours: Server, script: Script, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    script.will(*[goes(site.url("/")), says("Seen.")] * 3)
    put = {'"demo"': json.dumps(script.model), "http://127.0.0.1:8000/v1": ours.url, '"any"': '"sk-ann"'}
    with OpenAI(base_url=ours.url, api_key="sk-ann", max_retries=0) as client:
        names: Json = {"client": client}
        for code in blocks(ROOT / "docs/browser.md", "python"):
            for told, meant in put.items():
                code = code.replace(told, meant)
            await asyncio.to_thread(exec, code, names)
    assert capsys.readouterr().out.splitlines()[-1] == "Seen."


@promise("browser.sdk")
async def test_openai_agents_fills_in_a_form_reads_a_table_and_looks(ours: Server, script: Script, site: Site) -> None:
    from agents import Agent, HostedMCPTool, OpenAIResponsesModel, RunConfig, Runner

    fields = {'textbox "Name"': "Ada", 'checkbox "Gift"': "true"}
    script.will(goes(site.url("/form")), lambda ask: calls("browser_fill_form", fields=[
        {"ref": ref(read(ask), line), "value": value} for line, value in fields.items()
    ]))  # fmt: skip
    script.will(clicks('button "Order"'), calls("browser_navigate_back"), clicks('link "Prices"'))
    script.will(calls("browser_wait_for", text="Tea"), calls("browser_take_screenshot"), says("2.50"))
    script.will(calls("browser_snapshot"), says("Still 2.50"))
    quiet = RunConfig(tracing_disabled=True)
    async with AsyncOpenAI(base_url=ours.url, api_key="sk-ann", max_retries=0) as client:
        model = OpenAIResponsesModel(model=script.model, openai_client=client)
        agent = Agent(name="Surfer", model=model, tools=[HostedMCPTool(tool_config=connector())])
        first = await Runner.run(agent, "What is tea?", run_config=quiet)
        items: Any = [*first.to_input_list(), {"role": "user", "content": "And now?"}]
        second = Runner.run_streamed(agent, items, run_config=quiet)
        async for _ in second.stream_events():
            pass
    assert (first.final_output, second.final_output) == ("2.50", "Still 2.50")
    _, _, ordered, _, _, table, picture = [step for one in first.raw_responses for step in steps(one)]
    (still,) = [step for one in second.raw_responses for step in steps(one)]
    assert "name=Ada" in ordered.output and "gift=on" in ordered.output
    assert all('cell "2.50"' in step.output for step in (table, still))
    assert '"data:image/jpeg;base64,' in json.dumps(script.seen[7].body)
    assert picture.to_dict()["browser_id"] == still.to_dict()["browser_id"]


@needs_node
@promise("browser.sdk")
def test_the_sdks_of_node_read_steps(ours: Server, script: Script, site: Site) -> None:
    script.will(
        goes(site.url("/")), says("Set."), goes(site.url("/")), says("There."), goes(site.url("/")), says("So.")
    )
    got = run_node("browser.mjs", ours, script.model, "sk-ann")
    assert got["names"] == ["browser_navigate"] * 2
    assert got["answers"] == ["Set.", "There.", "So."]
    assert got["errors"] == []
    assert "visit 2" in got["output"]
    assert (got["browser"][:5], got["picture"][:5]) == ("brws_", "file-")
