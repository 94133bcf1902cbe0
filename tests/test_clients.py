"""Libraries other people wrote hold a tool-calling conversation with the server, each as its users run it."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.clients.asked import roles, tool_texts
from tests.clients.running import example_for, needs_node, run_code, run_node
from tests.process import Server
from tests.upstream import Script, calls, says, thinks, together

Json = dict[str, Any]
QUESTION = "What is the weather in Paris?"
SUNNY = "18 degrees and sunny in Paris"


# ---------------------------------------------------------------- the examples of the docs


@pytest.mark.parametrize(
    ("client", "language"),
    [
        pytest.param("openai for Node", "js", marks=needs_node),
        pytest.param("Vercel AI SDK", "js", marks=needs_node),
        ("openai-agents", "python"),
        ("LangChain", "python"),
    ],
)
@pytest.mark.usefixtures("log_watch")
def test_the_example_of_the_docs_runs(
    client: str, language: str, server: Server, script: Script, tmp_path: Path
) -> None:
    script.will(calls("weather", city="Paris"), says("It is sunny."))
    code = example_for(client, language, server.url, script.model)
    assert run_code(code, language, tmp_path).strip() == "It is sunny."
    assert roles(script) == [["user"], ["user", "assistant", "tool"]]
    assert script.last.messages[0]["content"] == QUESTION
    assert tool_texts(script) == [SUNNY]


# ---------------------------------------------------------------- Node

TWO = together(("weather", {"city": "Paris"}), ("weather", {"city": "Rome"}), interleave=True)
WARMEST: Json = {"city": "Rome", "degrees": 21}


@needs_node
def test_openai_for_node_streams_branches_and_reads_what_is_stored(
    server: Server, script: Script, model: str, log_watch: None
) -> None:
    script.will(TWO, says("Rome is warmer."), says("By one degree."), says(json.dumps(WARMEST)))
    told = run_node("openai_node.mjs", server, model)
    assert told["cities"] == ["Paris", "Rome"]
    assert [told["events"][0], told["events"][-1]] == ["response.created", "response.completed"]
    assert told["answer"] == "Rome is warmer."
    assert told["deltas"] == ["By ", "one ", "degree."]
    assert told["parsed"] == WARMEST
    assert told["same"] is True
    assert told["inputs"] == ["20 degrees", "21 degrees"]
    assert told["gone"] == ["NotFoundError", 404]
    assert told["refused"] == ["BadRequestError", 400, "temperature"]
    first = ["user", "assistant", "tool", "tool"]
    assert roles(script) == [["user"], first, *[[*first, "assistant", "user"]] * 2]


def script_of_steps(script: Script) -> Script:
    shape = says(json.dumps(WARMEST))
    lines = (thinks("Three cities.", TWO), calls("weather", city="Oslo"), says("All clear."))
    return script.will(*lines, calls("weather", city="Paris"), says("Still clear."), shape)


def check_steps(told: Json, script: Script) -> None:
    assert told["steps"] == [["Paris", "Rome"], ["Oslo"], []]
    assert (told["text"], told["results"], told["warnings"]) == ("All clear.", ["clear"] * 3, [])
    assert (told["streamed"], told["finish"], told["errors"], told["usage"]) == ("Still clear.", "stop", [], True)
    assert {"tool-call", "tool-result", "text-delta"} <= set(told["parts"])
    assert told["shape"] == WARMEST
    steps = ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert roles(script)[2:5] == [
        steps,
        [*steps, "assistant", "user"],
        [*steps, *["assistant", "user"], "assistant", "tool"],
    ]
    assert script.seen[1].messages[1]["reasoning_content"] == "Three cities."


@needs_node
def test_the_ai_sdk_refers_to_what_is_stored(server: Server, script: Script, model: str, log_watch: None) -> None:
    script_of_steps(script).will(says("Because."))
    told = run_node("ai_sdk.mjs", server, model)
    check_steps(told, script)
    assert [sent.count("item_reference") for sent in told["sent"]] == [0, 1, 1, 2, 2, 0, 0]
    assert told["continued"] == "Because."
    assert roles(script)[-1] == ["user", "assistant", "user"]


@needs_node
def test_the_ai_sdk_keeps_what_is_not_stored(server: Server, script: Script, model: str, log_watch: None) -> None:
    script_of_steps(script)
    told = run_node("ai_sdk.mjs", server, model, "stateless")
    check_steps(told, script)
    assert [sent.count("reasoning") for sent in told["sent"]] == [0, 1, 1, 1, 1, 0]


# ---------------------------------------------------------------- openai-agents


async def test_an_agent_runs_streams_and_answers_in_a_shape(
    async_client: AsyncOpenAI, script: Script, model: str
) -> None:
    from agents import Agent, OpenAIResponsesModel, RunConfig, Runner, function_tool
    from pydantic import BaseModel

    class Warmest(BaseModel):
        city: str
        degrees: int

    @function_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"clear in {city}"

    quiet = RunConfig(tracing_disabled=True)
    responses = OpenAIResponsesModel(model=model, openai_client=async_client)
    agent = Agent(name="Forecaster", instructions="Be brief.", model=responses, tools=[weather])

    script.will(TWO, says("All clear."))
    ran = await Runner.run(agent, "Compare Paris and Rome.", run_config=quiet)
    assert ran.final_output == "All clear."
    first = ["system", "user", "assistant", "tool", "tool"]
    assert roles(script) == [["system", "user"], first]

    script.will(calls("weather", city="Oslo"), says("Clear there too."))
    told: list[str] = []
    asked: Any = [*ran.to_input_list(), {"role": "user", "content": "And Oslo?"}]
    streamed = Runner.run_streamed(agent, asked, run_config=quiet)
    async for event in streamed.stream_events():
        told.append(event.data.type if event.type == "raw_response_event" else event.type)
    assert streamed.final_output == "Clear there too."
    assert told.count("response.completed") == 2
    assert {"response.function_call_arguments.delta", "response.output_text.delta"} <= set(told)
    assert roles(script)[-1] == [*first, "assistant", "user", "assistant", "tool"]

    script.will(says(json.dumps(WARMEST)))
    shaped = Agent(name="Judge", model=responses, output_type=Warmest)
    before = ran.last_response_id
    judged = await Runner.run(shaped, "Which is warmest?", previous_response_id=before, run_config=quiet)
    assert judged.final_output == Warmest(city="Rome", degrees=21)
    assert roles(script)[-1] == [*first[1:], "assistant", "user"]


# ---------------------------------------------------------------- LangChain


@pytest.mark.parametrize("stored", [True, False])
async def test_langchain_calls_tools_waiting_and_streaming(
    async_client: AsyncOpenAI, script: Script, model: str, stored: bool
) -> None:
    from langchain_core.messages import AnyMessage, HumanMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"clear in {city}"

    chat = ChatOpenAI(
        model=model,
        root_async_client=async_client,
        async_client=async_client.chat.completions,
        api_key="any",
        use_responses_api=True,
        use_previous_response_id=stored,
        store=stored,
        include=None if stored else ["reasoning.encrypted_content"],
        output_version="responses/v1",
    )
    bound = chat.bind_tools([weather])

    script.will(thinks("Two cities.", TWO), says("All clear."))
    messages: list[AnyMessage] = [HumanMessage("Compare Paris and Rome.")]
    asked = await bound.ainvoke(messages)
    messages += [asked, *[weather.invoke(call) for call in asked.tool_calls]]
    answered = await bound.ainvoke(messages)
    assert answered.text == "All clear."
    assert tool_texts(script) == ["clear in Paris", "clear in Rome"]
    assert script.last.messages[1]["reasoning_content"] == "Two cities."
    if stored:
        kept = await async_client.responses.retrieve(answered.response_metadata["id"])
        assert kept.previous_response_id == asked.response_metadata["id"]

    script.will(calls("weather", city="Oslo"), says("Clear there too."))
    messages += [answered, HumanMessage("And Oslo?")]
    for text in ("", "Clear there too."):
        chunks = [chunk async for chunk in bound.astream(messages)]
        whole = sum(chunks[1:], chunks[0])
        assert whole.text == text
        messages += [whole, *[weather.invoke(call) for call in whole.tool_calls]]
    first = ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert roles(script)[2:] == [first, [*first, "assistant", "tool"]]
