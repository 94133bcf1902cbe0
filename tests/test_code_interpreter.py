"""The code interpreter, asked through the official client; the sandbox is real, the model is scripted."""

import base64
import io
import json
from typing import Any, cast

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from PIL import Image

from tests.answers import Answer
from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.told import output
from tests.upstream import Script, calls, says, together

Json = dict[str, Any]
PYTHON: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
OUTPUTS: Any = "code_interpreter_call.outputs"
#: Two bars, red and blue, of the heights that a CSV file says, and nothing else in the picture.
BARS = """\
import csv
import matplotlib.pyplot as plt
rows = list(csv.DictReader(open('/mnt/data/sales.csv')))
figure = plt.figure(figsize=(4, 4), dpi=50)
axes = figure.add_axes([0, 0, 1, 1])
axes.set_axis_off()
axes.bar([row['month'] for row in rows], [int(row['sold']) for row in rows], color=['#ff0000', '#0000ff'])
axes.set_ylim(0, 100)
plt.show()"""


def python(code: str) -> Answer:
    return calls("code_interpreter", code=code)


def told(script: Script, turn: int = -1) -> str:
    """What the model was told of the last call before a turn."""
    replies = [message["content"] for message in script.seen[turn].messages if message["role"] == "tool"]
    return cast(str, replies[-1])


@promise("code.stream", "code.outputs")
def test_code_is_shown_while_it_is_written_and_then_run(tell: Tell, script: Script) -> None:
    code = "answer = 6 * 7\nprint('It is', answer, '→ \\'é\\'')\nanswer + 1"
    script.will(python(code), says("43."))
    events = tell(input="q", tools=[PYTHON], include=[OUTPUTS])
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds.count("code_interpreter_call_code.delta") > 1, "it came in pieces"
    stem = "code_interpreter_call"
    once = [kind for kind in kinds if kind.startswith(stem) and not kind.endswith("delta")]
    assert once == [f"{stem}.in_progress", f"{stem}_code.done", f"{stem}.interpreting", f"{stem}.completed"]
    call, message = output(events)
    assert (call["type"], call["status"], call["code"]) == ("code_interpreter_call", "completed", code)
    assert call["outputs"] == [{"type": "logs", "logs": "It is 42 → 'é'\n43\n"}]
    assert call["container_id"].startswith("cntr_")
    assert call["id"].startswith("ci_")
    assert message["content"][0]["text"] == "43."
    assert told(script) == "It is 42 → 'é'\n43"
    assert script.seen[0].tool("code_interpreter")["parameters"]["required"] == ["code"]


@promise("code.outputs")
def test_what_code_has_said_is_shown_to_those_who_ask(client: OpenAI, script: Script, model: str) -> None:
    script.will(python("print('hidden')"), says("ok"))
    made = client.responses.create(model=model, input="q", tools=[PYTHON])
    assert made.to_dict()["output"][0]["outputs"] is None  # type: ignore[index]
    assert client.responses.retrieve(made.id).to_dict()["output"][0]["outputs"] is None  # type: ignore[index]
    later = client.responses.retrieve(made.id, include=[OUTPUTS]).to_dict()
    assert later["output"][0]["outputs"] == [{"type": "logs", "logs": "hidden\n"}]  # type: ignore[index]
    script.will(says("again"))
    after = client.responses.create(model=model, input="and?", previous_response_id=made.id)
    listed = client.responses.input_items.list(after.id, include=[OUTPUTS]).to_dict()
    assert "hidden" in told(script)
    assert listed


@promise("code.state")
def test_three_calls_share_variables_and_files_across_responses(client: OpenAI, script: Script, model: str) -> None:
    script.will(python("n = 20"), python("open('/mnt/data/n.txt', 'w').write(str(n + 1)); n += 1"), says("ok"))
    first = client.responses.create(model=model, input="q", tools=[PYTHON])
    script.will(python("print(n, open('/mnt/data/n.txt').read())"), says("ok"))
    second = client.responses.create(model=model, input="q", tools=[PYTHON], previous_response_id=first.id)
    assert told(script) == "21 21"
    ids = {item.container_id for one in (first, second) for item in one.output if item.type == "code_interpreter_call"}
    assert len(ids) == 1, "a chain has one container"


@promise("code.state")
def test_calls_of_one_turn_run_one_after_the_other(tell: Tell, script: Script) -> None:
    asked = [("code_interpreter", {"code": code}) for code in ("x = 1", "x += 1", "print(x)")]
    script.will(together(*asked), says("ok"))
    events = tell(input="q", tools=[PYTHON], include=[OUTPUTS])
    assert [item.get("status") for item in output(events)] == ["completed"] * 4
    assert output(events)[2]["outputs"] == [{"type": "logs", "logs": "2\n"}]


@promise("code.errors")
def test_an_exception_is_what_the_code_has_said(tell: Tell, script: Script) -> None:
    script.will(python("def broken():\n    return 1 / 0\nbroken()"), says("Sorry."))
    events = tell(input="q", tools=[PYTHON], include=[OUTPUTS])
    call = output(events)[0]
    assert call["status"] == "completed"
    logs = call["outputs"][0]["logs"]
    assert "ZeroDivisionError: division by zero" in logs
    assert "return 1 / 0" in logs, "with its line"
    assert "runner" not in logs, "nothing of ours is in it"
    assert "ZeroDivisionError" in told(script)


@promise("code.plots", "code.files")
def test_a_plot_of_an_uploaded_table_is_a_picture_of_its_data(client: OpenAI, script: Script, model: str) -> None:
    table = client.files.create(file=("sales.csv", b"month,sold\nJan,25\nFeb,75\n"), purpose="user_data")
    script.will(python(BARS), says("Here is your chart."))
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [table.id]}}
    made = client.responses.create(model=model, input="Plot it.", tools=[tool], include=[OUTPUTS])
    call, message = made.to_dict()["output"]  # type: ignore[misc]
    [image] = [one for one in call["outputs"] if one["type"] == "image"]  # type: ignore[index]
    [cited] = message["content"][0]["annotations"]  # type: ignore[index]
    assert (cited["type"], cited["start_index"], cited["end_index"]) == ("container_file_citation", 0, 0)
    content = client.containers.files.content.retrieve(cited["file_id"], container_id=cited["container_id"]).read()
    assert content == base64.b64decode(image["url"].removeprefix("data:image/png;base64,"))
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    red, blue = (_height(picture, colour) for colour in ((255, 0, 0), (0, 0, 255)))
    assert blue / red == pytest.approx(3, rel=0.03)


def _height(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    """The part of the picture's height that a bar of this colour reaches."""
    wide, high = picture.size
    rows = {y for y in range(high) for x in range(0, wide, 4) if picture.getpixel((x, y)) == colour}
    return len(rows) / high


@promise("code.files")
def test_files_are_cited_where_the_text_speaks_of_them(tell: Tell, script: Script, client: OpenAI) -> None:
    code = "for name in ('a.csv', 'a.csv.gz', 'b b.txt'):\n    open('/mnt/data/' + name, 'w').write(name)"
    text = "See [the table](sandbox:/mnt/data/a.csv) and [notes](sandbox:/mnt/data/b%20b.txt)."
    script.will(python(code), says(text))
    events = tell(input="q", tools=[PYTHON])
    notes = output(events)[1]["content"][0]["annotations"]
    spans = {note["filename"]: text[note["start_index"] : note["end_index"]] for note in notes}
    assert spans == {
        "a.csv": "sandbox:/mnt/data/a.csv", "b b.txt": "sandbox:/mnt/data/b%20b.txt", "a.csv.gz": ""
    }  # fmt: skip
    for note in notes:
        content = client.containers.files.content.retrieve(note["file_id"], container_id=note["container_id"])
        assert content.read().decode() == note["filename"]


@promise("code.cut")
def test_code_that_is_not_finished_is_not_run(tell: Tell, script: Script) -> None:
    whole = json.dumps({"code": "open('/mnt/data/x', 'w').write('x' * 100)"})
    arguments = [{"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "code_interpreter", "arguments": ""}}]}]
    arguments += [{"tool_calls": [{"index": 0, "function": {"arguments": whole[at : at + 8]}}]} for at in (0, 8, 16)]
    script.will(Answer(tuple({"delta": delta} for delta in arguments), "length"))
    events = tell(input="q", tools=[PYTHON], max_output_tokens=16)
    [call] = output(events)
    assert (call["status"], call["code"]) == ("incomplete", "open('/mnt/dat")
    assert events[-1]["response"]["status"] == "incomplete"


@promise("code.limits")
def test_code_that_takes_too_long_is_stopped(
    start_server: StartServer, script: Script, model: str, recorder: Recorder
) -> None:
    server = start_server(GRAPHNEXUS_SANDBOX_CALL_TIMEOUT_S="1")
    script.will(python("kept = 1\nwhile True: pass"), python("print(kept)"), says("ok"))
    with client_of(server, recorder) as client:
        made = client.responses.create(model=model, input="q", tools=[PYTHON], include=[OUTPUTS]).to_dict()
    assert "1 s" in told(script, 1) or "1.0 s" in told(script, 1)
    assert [item["status"] for item in made["output"]] == ["completed"] * 3  # type: ignore[index, union-attr]
    assert told(script) == "1", "it heeded the interrupt, and kept its variables"


@promise("code.declared")
@pytest.mark.parametrize(
    ("container", "param"),
    [
        (None, "tools[0].container"),
        (7, "tools[0].container"),
        ({"type": "manual"}, "tools[0].container.type"),
        ({"type": "auto", "memory_limit": "3g"}, "tools[0].container.memory_limit"),
        ({"type": "auto", "file_ids": ["file-none"]}, "tools[0].container.file_ids[0]"),
        ({"type": "auto", "file_ids": "file-none"}, "tools[0].container.file_ids"),
    ],
)
def test_a_container_that_cannot_be_used_is_refused(client: OpenAI, model: str, container: Any, param: str) -> None:
    tool: Any = {"type": "code_interpreter", "container": container}
    with pytest.raises((BadRequestError, NotFoundError)) as refused:
        client.responses.create(model=model, input="q", tools=[tool])
    assert refused.value.param == param


@promise("code.declared")
def test_a_container_that_is_not_there_is_not_found(client: OpenAI, model: str) -> None:
    tool: Any = {"type": "code_interpreter", "container": "cntr_none"}
    with pytest.raises((BadRequestError, NotFoundError), match="cntr_none"):
        client.responses.create(model=model, input="q", tools=[tool])


@promise("code.replayed")
def test_a_client_that_keeps_its_own_history_sends_calls_back(client: OpenAI, script: Script, model: str) -> None:
    script.will(python("print(6 * 7)"), says("42"))
    first = client.responses.create(model=model, input="q", tools=[PYTHON], include=[OUTPUTS], store=False)
    script.will(says("It was 42."))
    before: Any = [{"role": "user", "content": "q"}, *first.to_dict()["output"]]  # type: ignore[misc]
    client.responses.create(model=model, input=[*before, {"role": "user", "content": "What was it?"}], store=False)
    assert told(script).strip() == "42"
    made = next(message for message in script.seen[-1].messages if message.get("tool_calls"))
    assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == {"code": "print(6 * 7)"}


@promise("code.approved")
def test_an_operators_rule_asks_before_code_runs(
    start_server: StartServer, script: Script, model: str, recorder: Recorder, tmp_path: Any
) -> None:
    config = tmp_path / "graphnexus.toml"
    config.write_text('[[approval]]\npolicy = "always"\ntool = "code_interpreter"\n')
    server = start_server("--config", str(config))
    script.will(python("print('ran')"))
    with client_of(server, recorder) as client:
        first = client.responses.create(model=model, input="q", tools=[PYTHON])
        asked = first.output[0]
        assert asked.type == "mcp_approval_request"
        assert json.loads(asked.arguments) == {"code": "print('ran')"}
        script.will(says("ok"))
        answer: Any = {"type": "mcp_approval_response", "approval_request_id": asked.id, "approve": True}
        again = client.responses.create(model=model, input=[answer], tools=[PYTHON], previous_response_id=first.id)
    assert again.output[0].type == "code_interpreter_call"
    assert told(script) == "ran"
