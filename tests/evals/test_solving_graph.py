"""Cases asked of a graph in this process."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evals.running.grading import Graders
from evals.solving.target import opened
from evals.suite.reading import read
from evals.suite.schema import Case, Target
from evals.suite.whole import whole
from evals.transcript import Transcript
from evals.unfit import Unfit
from tests.contract import promise

Json = dict[str, Any]
GRAPH = "tests.evals.graph_made:graph"


async def asked(*turns: Any, graph: str = GRAPH, directory: str = ".", **case: Any) -> Transcript:
    one = Case(id="one", turns=[{"input": turn} for turn in turns], **case)
    async with opened(Target(graph=graph, model="m"), directory) as target:
        assert (target.shown, target.model) == (graph, "m")
        return await target.attempt(one, "run", 1)


def said(made: Transcript) -> list[str]:
    assert made.fault is None
    return [turn.text for turn in made.turns]


def shown(made: Transcript) -> list[tuple[str, Any]]:
    return [(item["type"], item.get("name") or item.get("output") or "") for item in made.items]


@promise("graph.turns")
async def test_a_graph_keeps_the_turns_of_a_case_and_shows_path_state_tools_and_tokens() -> None:
    made = await asked("add 2", "hi")
    assert said(made) == ["3: 3", "5: hi"]
    assert shown(made) == [("function_call", "add"), ("function_call_output", "3"), ("message", ""), ("message", "")]
    assert made.items[0]["arguments"] == '{"a": 1, "b": 2}'
    assert made.path == ["model", "tools", "model", "model"]
    assert made.state
    assert (made.state["asked"], made.state["messages"][-1]["content"]) == (3, "5: hi")
    assert (made.usage.input, made.usage.output, made.repairs) == (15, 6, None)
    assert [turn.input[0]["content"] for turn in made.turns] == ["add 2", "hi"]
    assert made.seconds > 0


@promise("graph.turns")
async def test_turns_without_state_know_nothing_of_each_other_nor_does_the_next_attempt() -> None:
    assert said(await asked("a", "b", state="none")) == ["1: a", "1: b"]
    assert said(await asked("a", "b")) == ["1: a", "3: b"]


@promise("graph.turns")
async def test_what_a_node_gives_back_again_is_shown_once() -> None:
    made = await asked("hi", "again")
    assert said(made) == ["1: hi", "3: again"]
    assert len(made.items) == 2
    assert made.usage.total == 14


@promise("graph.asks")
async def test_functions_the_graph_leaves_to_its_client_are_answered() -> None:
    made = await asked("fetch 7", answers={"fetch": {'{"b": 7, "a": 1}': "seven"}})
    assert said(made) == ["3: seven"]
    assert [item["type"] for item in made.turns[0].input if "type" in item] == ["function_call_output"]
    assert len(made.turns[0].responses) == 2
    assert shown(await asked("fetch 7")) == [("function_call", "fetch")]


@promise("graph.asks")
@pytest.mark.parametrize(
    ("said_to_it", "items"),
    [
        ("approve", ["mcp_approval_request", "function_call", "function_call_output", "message"]),
        ("deny", ["mcp_approval_request", "message"]),
        ("leave", ["mcp_approval_request"]),
    ],
)
async def test_approvals_a_graph_asks_for_are_decided_as_the_case_says(said_to_it: str, items: list[str]) -> None:
    made = await asked("ship 1", approvals={"ship": said_to_it, "other": "approve"})
    assert made.fault is None
    assert [item["type"] for item in made.items] == items
    assert made.text == {"approve": "3: approve", "deny": "3: reject", "leave": ""}[said_to_it]


@promise("graph.asks")
async def test_an_interrupt_is_answered_by_its_name() -> None:
    made = await asked("please ask", answers={"interrupt": '{"n": 3}'})
    assert said(made) == ["You said {'n': 3}."]
    assert made.path == ["model", "ask"]
    assert (await asked("please ask", answers={"interrupt": "three"})).text == "You said 'three'."
    left = await asked("please ask")
    assert (left.items[-1]["name"], left.items[-1]["arguments"]) == ("interrupt", '{"how": "many"}')


@promise("graph.request")
async def test_fields_of_requests_reach_context_and_configuration() -> None:
    made = await asked("voice", request={"temperature": 0.5, "recursion_limit": 5})
    assert said(made) == ["0.5 m"]
    limited = await asked("add 2", request={"recursion_limit": 1})
    assert limited.turns[0].error
    assert limited.turns[0].error["message"].startswith("GraphRecursionError: ")


@promise("graph.request")
async def test_a_streamed_case_tells_when_its_first_text_came() -> None:
    made = (await asked("stream", request={"stream": True})).turns[0]
    assert made.text == "one two three"
    assert made.first_text_s is not None
    assert 0 < made.first_text_s <= made.seconds
    assert (await asked("stream")).turns[0].first_text_s is None


@promise("graph.request")
async def test_files_go_into_the_first_message(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(b"\x89PNG")
    files = [{"content": "of a file"}, {"path": "red.png", "use": "image"}, {"name": "a.pdf", "content": "%PDF"}]
    made = await asked("hi", "and?", files=files, directory=str(tmp_path))
    assert made.state
    first, _, second, _ = made.state["messages"]
    assert [part["type"] for part in first["content"]] == ["text", "image_url", "file", "text"]
    assert first["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBO")
    assert first["content"][2]["mime_type"] == "application/pdf"
    assert (first["content"][3]["text"], second["content"]) == ("hi", "and?")


@promise("graph.request")
async def test_turns_may_be_items_of_every_role() -> None:
    items = [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    ]
    made = await asked(items)
    assert made.state
    assert [message["type"] for message in made.state["messages"]] == ["system", "ai", "human", "ai"]
    assert said(made) == ["3: hi"]


@promise("graph.turns")
async def test_a_suite_runs_over_a_graph_that_stands_beside_it(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("graph_made.py"), tmp_path / "agent.py")
    graders = [
        {"type": "tool_call", "tool": "add", "arguments": {"a": 1, "b": 2}, "exact": True, "status": "completed"},
        {"type": "node_path", "nodes": ["model", "tools", "model"]},
        {"type": "checkpoint_state", "path": "asked", "equals": 2},
    ]
    cases = [
        {"id": "adds", "input": "add 2", "expect": "3: 3", "graders": graders},
        {"id": "fails", "input": "fail", "graders": [{"type": "refused", "status": 500}]},
    ]
    whole_suite = {"name": "agent", "target": {"graph": "agent.py:graph"}, "cases": cases}
    (tmp_path / "suite.yaml").write_text(json.dumps(whole_suite))
    suite = read(tmp_path / "suite.yaml")
    async with opened(suite.target, suite.directory) as target:
        all_of_it = [whole(case, suite) for case in suite.cases]
        made = [await target.attempt(case, "run", 1) for case in all_of_it]
    graded = [await Graders(suite, None).graded(case, one) for case, one in zip(all_of_it, made, strict=True)]
    assert [one.passed for one in graded] == [True, True], graded
    assert [len(one.grades) for one in graded] == [4, 1]


@promise("graph.fails")
async def test_what_a_graph_raises_is_what_came_of_the_turn() -> None:
    made = await asked("fail", "hi")
    assert made.fault is None
    assert made.turns[0].error
    assert made.turns[0].error["message"] == "RuntimeError: The fuse is wet."
    assert made.turns[1].text.endswith(": hi")


@promise("graph.fails")
@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ({"mcp_servers": [{"label": "x", "url": "http://127.0.0.1:9/mcp"}]}, "cannot use mcp_servers: name a server"),
        ({"files": [{"content": "x", "use": "vector_store"}]}, "cannot use files for a container or a vector store"),
        ({"files": [{"path": "missing"}]}, "missing of the suite cannot be read"),
    ],
)
async def test_what_a_graph_cannot_be_given_is_a_fault_of_the_case(case: Json, fault: str) -> None:
    assert fault in ((await asked("hi", **case)).fault or "")


@promise("graph.fails")
async def test_items_a_graph_cannot_be_told_are_a_fault() -> None:
    assert "'item_reference' is neither" in ((await asked([{"type": "item_reference", "id": "x"}])).fault or "")
    part = {"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}
    assert "'input_image' with file_id" in ((await asked([part])).fault or "")


@promise("graph.named")
async def test_a_graph_may_be_made_by_a_function_or_stand_in_a_file() -> None:
    for named in ("opened", "made", "builder"):
        assert said(await asked("hi", graph=f"tests.evals.graph_made:{named}")) == ["1: hi"]
    assert said(await asked("hi", graph="graph_made.py:graph", directory="tests/evals")) == ["1: hi"]


@promise("graph.named")
@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("graph", "names no graph: write module:graph"),
        ("no.such:graph", "no.such cannot be imported: ModuleNotFoundError"),
        ("missing.py:graph", "missing.py cannot be imported: FileNotFoundError"),
        ("tests.evals.graph_made:none", "has no 'none'"),
        ("tests.evals.graph_made:number", "is int: a target is a compiled graph"),
        ("tests.evals.graph_made:wordless", "has no channel 'messages'"),
    ],
)
async def test_a_graph_that_is_none_is_told_in_one_line(named: str, problem: str) -> None:
    with pytest.raises(Unfit, match=problem) as raised:
        await asked("hi", graph=named)
    assert "\n" not in str(raised.value)
