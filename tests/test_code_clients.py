"""The code interpreter through the libraries people use it with."""

from typing import Any

from openai import AsyncOpenAI

from tests.clients.running import needs_node, run_node
from tests.contract import promise
from tests.process import Server
from tests.test_code_interpreter import OUTPUTS, PYTHON, python, told
from tests.upstream import Script, says

MADE = "open('/mnt/data/a.txt', 'w').write('made'); print(6 * 7)"
LINKED = "It is [42](sandbox:/mnt/data/a.txt)."


@promise("clients.code")
async def test_agents_run_code_waiting_and_streaming(async_client: AsyncOpenAI, script: Script, model: str) -> None:
    from agents import Agent, CodeInterpreterTool, ModelSettings, OpenAIResponsesModel, RunConfig, Runner

    quiet = RunConfig(tracing_disabled=True)
    tool: Any = CodeInterpreterTool(tool_config=PYTHON)
    asking = ModelSettings(response_include=[OUTPUTS])
    responses = OpenAIResponsesModel(model=model, openai_client=async_client)
    agent = Agent(name="Counter", model=responses, tools=[tool], model_settings=asking)
    script.will(python(MADE), says(LINKED))
    ran = await Runner.run(agent, "How much is 6 * 7?", run_config=quiet)
    assert ran.final_output == LINKED
    call: Any = next(item.raw_item for item in ran.new_items if item.type == "tool_call_item")
    assert call.outputs[0].logs == "42\n"

    script.will(python("print(open('/mnt/data/a.txt').read())"), says("made"))
    asked: Any = [*ran.to_input_list(), {"role": "user", "content": "And the file?"}]
    streamed = Runner.run_streamed(agent, asked, run_config=quiet)
    kinds = [event.data.type async for event in streamed.stream_events() if event.type == "raw_response_event"]
    assert "response.code_interpreter_call_code.delta" in kinds
    assert streamed.final_output == "made"
    assert told(script).startswith("made"), "the history the client sent names the container"


@promise("clients.code")
async def test_langchain_runs_code(async_client: AsyncOpenAI, script: Script, model: str) -> None:
    from langchain_core.messages import AnyMessage, HumanMessage
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(
        model=model,
        root_async_client=async_client,
        async_client=async_client.chat.completions,
        api_key="any",
        use_responses_api=True,
        include=[OUTPUTS],
        output_version="responses/v1",
    )
    bound = chat.bind_tools([PYTHON])
    script.will(python(MADE), says(LINKED))
    messages: list[AnyMessage] = [HumanMessage("How much is 6 * 7?")]
    answered = await bound.ainvoke(messages)
    blocks: Any = answered.content
    assert [block["type"] for block in blocks] == ["code_interpreter_call", "text"]
    assert blocks[0]["outputs"] == [{"type": "logs", "logs": "42\n"}]
    assert blocks[1]["annotations"][0]["filename"] == "a.txt"

    script.will(python("print(open('/mnt/data/a.txt').read())"), says("made"))
    messages += [answered, HumanMessage("And the file?")]
    chunks = [chunk async for chunk in bound.astream(messages)]
    assert sum(chunks[1:], chunks[0]).text == "made"
    assert told(script).startswith("made")


@needs_node
@promise("clients.code")
def test_the_ai_sdk_runs_code(server: Server, script: Script, model: str, log_watch: None) -> None:
    script.will(python(MADE), says(LINKED), python("print(open('/mnt/data/a.txt').read())"), says("made"))
    said = run_node("ai_sdk_code.mjs", server, model)
    assert said["text"] == LINKED
    assert said["code"] == MADE
    assert said["container"].startswith("cntr_")
    assert said["outputs"] == [{"type": "logs", "logs": "42\n"}]
    assert said["errors"] == []
    assert said["streamed"] == "made"
    assert {"tool-input-start", "tool-input-delta", "tool-call", "tool-result"} <= set(said["parts"])
