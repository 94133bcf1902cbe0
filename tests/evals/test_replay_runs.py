"""`graphnexus eval record` and `eval replay`: stored runs made again by another model, and the steps that differ."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from openai import OpenAI

from evals.command import main
from evals.report.reading import read as read_result
from evals.suite.reading import read as read_suite
from tests import mcp_servers
from tests.contract import promise
from tests.evals import stored_runs
from tests.evals.standing import attempts
from tests.evals.stored_runs import CASES, CHAINS, RESPONSES, Maker, lines
from tests.process import Server
from tests.upstream import Upstream, fails

Json = dict[str, Any]


class Fifty(NamedTuple):
    file: Path
    fast: mcp_servers.Server
    server: Server


def ended(*line: str) -> int:
    """The exit status of a command."""
    with pytest.raises(SystemExit) as end:
        main([*line])
    return int(str(end.value.code or 0))


@pytest.fixture(scope="module")
def fast() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("fast") as server:
        yield server


@pytest.fixture(scope="module")
def fifty(
    server: Server, upstream: Upstream, fast: mcp_servers.Server, tmp_path_factory: pytest.TempPathFactory
) -> Fifty:
    """Recorded once for all tests; their MCP server is stopped then."""
    upstream.on("fifty").always(stored_runs.model())
    with OpenAI(base_url=server.url, api_key="sk-test", max_retries=0) as client:
        Maker(client, "fifty", fast).make()
    file = tmp_path_factory.mktemp("fifty") / "runs.jsonl"
    found = "model=fifty,metadata.set=fifty,since=1h"
    assert ended("record", "--filter", found, "--out", str(file), "--url", server.url) == 0
    fast.stop()
    return Fifty(file, fast, server)


@pytest.fixture
def awake(fifty: Fifty) -> Iterator[mcp_servers.Server]:
    """The MCP server, running again where it was."""
    fifty.fast.start()
    yield fifty.fast
    fifty.fast.stop()


def replayed(fifty: Fifty, tmp_path: Path, *line: str) -> tuple[int, Json]:
    """Exit status, and the diff by step."""
    out = tmp_path / "diff.json"
    status = ended("replay", str(fifty.file), "--url", fifty.server.url, "--json", str(out), *line)
    return status, json.loads(out.read_text())


def changed(diff: Json) -> dict[tuple[int, int], list[str]]:
    """By run and turn of the model, counted through all responses of a case: what differs."""
    found: dict[tuple[int, int], list[str]] = {}
    for case in diff["cases"]:
        steps = [step for run in case["runs"] for step in run["steps"]]
        number = int(steps[0]["recorded"][0]["asked"]["text"][1:])
        for turn, step in enumerate(steps):
            if step["differences"]:
                found[number, turn] = [difference["what"] for difference in step["differences"]]
    return found


def requests(diff: Json) -> int:
    return sum(run["requests"] for case in diff["cases"] for run in case["runs"])


@promise("record.cases", "record.chains")
def test_fifty_stored_runs_are_fifty_recordings_and_chains_are_one_case(fifty: Fifty) -> None:
    cases = list(lines(fifty.file))
    assert len(cases) == CASES
    recordings = [one for case in cases for one in case["recording"].get("recordings", [case["recording"]])]
    assert len(recordings) == RESPONSES == 50
    chains = [case for case in cases if case["recording"]["object"] == "response.recording.chain"]
    assert len(chains) == len(CHAINS)
    assert all("history" not in case["recording"]["recordings"][1] for case in chains), "it is not said twice"
    assert all("tool:mcp_call" in case["tags"] for case in cases)
    assert "very-secret" not in fifty.file.read_text()
    assert fifty.file.stat().st_mode & 0o77 == 0


@promise("replay.same", "replay.outside", "replay.exit")
def test_the_same_model_changes_nothing_and_nothing_outside_is_called(fifty: Fifty, tmp_path: Path) -> None:
    status, diff = replayed(fifty, tmp_path)
    assert (status, changed(diff)) == (0, {})
    assert requests(diff) == RESPONSES
    assert sum(len(run["steps"]) for case in diff["cases"] for run in case["runs"]) == CASES * 3
    assert fifty.fast.process is None, "there was nobody to call"


@promise("replay.changes", "replay.requests", "replay.outside", "replay.exit")
def test_exactly_the_steps_at_which_another_model_differs_are_found(
    fifty: Fifty, upstream: Upstream, tmp_path: Path
) -> None:
    otherwise: dict[tuple[int, int], stored_runs.Act] = {
        (1, 2): stored_runs.other_text,
        (2, 1): stored_runs.other_arguments,
        (3, 0): stored_runs.one_by_one,
        (4, 1): stored_runs.more_calls,
        (5, 0): stored_runs.other_text,  # answers at once
        (8, 1): stored_runs.other_client_call,
        (16, 2): stored_runs.other_text,  # in the second response of a chain
        (30, 0): stored_runs.other_arguments,  # all three, one after the other
        (30, 1): stored_runs.other_text,
        (30, 2): stored_runs.other_text,
    }
    upstream.on("fifty-other").always(stored_runs.model({
        **otherwise,
        (6, 0): stored_runs.same_in_other_words,
        (7, 2): stored_runs.same_text,
        (24, 1): stored_runs.same_client_call,
    }))  # fmt: skip
    status, diff = replayed(fifty, tmp_path, "--model", "fifty-other")
    assert status == 1
    assert changed(diff) == {
        (1, 2): ["text"],
        (2, 1): ["arguments"],
        (3, 0): ["missing"],
        (4, 1): ["added"],
        (5, 0): ["added", "missing", "missing"],
        (8, 1): ["arguments"],
        (16, 2): ["text"],
        (30, 0): ["arguments", "missing"],
        (30, 1): ["added", "missing"],
        (30, 2): ["text"],
    }
    last = [(1, 2), (8, 1), (16, 2), (30, 2)]  # behind them nothing is left to ask
    assert requests(diff) == RESPONSES + len(otherwise) - len(last)
    assert fifty.fast.process is None, "there was nobody to call"


# ---------------------------------------------------------------- ways to replay


def chosen(fifty: Fifty, *runs: int) -> list[str]:
    """`--case` for these."""
    ids = {int(re.findall(r"\d+", text_of(case))[0]): case["id"] for case in lines(fifty.file)}
    return [word for run in runs for word in ("--case", ids[run])]


def text_of(case: Json) -> str:
    first = case["recording"].get("recordings", [case["recording"]])[0]
    return first["input"][0]["item"]["content"][0]["text"]


@promise("replay.from")
def test_a_replay_begins_at_a_step_or_asks_each_by_itself(fifty: Fifty, upstream: Upstream, tmp_path: Path) -> None:
    otherwise = {(9, 0): stored_runs.other_arguments, (9, 2): stored_runs.other_text, (8, 2): stored_runs.other_text}
    upstream.on("fifty-from").always(stored_runs.model(otherwise))
    line = ["--model", "fifty-from", *chosen(fifty, 8, 9)]
    _, late = replayed(fifty, tmp_path, *line, "--from", "1")
    steps = [[step["turn"] for run in case["runs"] for step in run["steps"]] for case in late["cases"]]
    assert sorted(steps) == [[1], [1, 2]], "the second response of the chain has one step"
    _, each = replayed(fifty, tmp_path, *line, "--from", "each")
    assert changed(each) == {(9, 0): ["arguments", "missing"], (9, 2): ["text"], (8, 2): ["text"]}
    assert requests(each) == 6


@promise("replay.live", "replay.outside")
def test_live_results_are_made_and_compared(fifty: Fifty, awake: mcp_servers.Server, tmp_path: Path) -> None:
    (case,) = [case for case in lines(fifty.file) if text_of(case) == "Run 10, please."]
    old = json.dumps(case).replace("fast: c10", "fast: as it was")
    file = tmp_path / "old.jsonl"
    file.write_text(old + "\n")
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([awake.tool(), stored_runs.FUNCTION]))
    before = awake.counts()
    assert replayed(fifty, tmp_path, *chosen(fifty, 10, 11, 12))[0] == 0
    assert awake.counts() == before, "recorded results ask nobody, though somebody is there"
    status, diff = replayed(fifty._replace(file=file), tmp_path, "--results", "live", "--tools", str(tools))
    assert (status, changed(diff)) == (1, {(10, 1): ["result"]})
    assert requests(diff) == 1, "what a call came to is no reason to ask again"
    assert (awake.counts() - before)["tools/call"] == 3


@promise("replay.changes")
def test_what_goes_on_behind_the_end_of_a_recording_is_new(
    fifty: Fifty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a run that ran out of calls or failed: its model was not asked again."""
    (case,) = [case for case in lines(fifty.file) if text_of(case) == "Run 20, please."]
    recording = case["recording"]
    last = next(step for step in reversed(recording["steps"]) if step["node"] == "call_model")
    recording["steps"].remove(last)
    recording["output"].pop()
    recording["response"]["output"].pop()
    case["id"] = "cut\x1b[2J"
    file = tmp_path / "cut.jsonl"
    file.write_text(json.dumps(case))
    status, diff = replayed(fifty._replace(file=file), tmp_path)
    assert (status, changed(diff)) == (1, {(20, 2): ["added"]})
    said = capsys.readouterr().out
    assert "cut[2J: 1 of 3 steps differ" in said, "nothing in a file steers a terminal"


@promise("replay.asked")
def test_instructions_tools_and_fields_may_be_others(fifty: Fifty, upstream: Upstream, tmp_path: Path) -> None:
    script = upstream.on("fifty-asked").always(stored_runs.model())
    said = tmp_path / "said.md"
    said.write_text("Be terse.")
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{**fifty.fast.tool(), "allowed_tools": ["fast_tool"]}]))
    line = ["--instructions", f"@{said}", "--tools", str(tools), "--set", "temperature=0.25", "--set", "user=ann"]
    status, _ = replayed(fifty, tmp_path, "--model", "fifty-asked", *line, *chosen(fifty, 11))
    assert status == 0
    assert script.last.messages[0] == {"role": "system", "content": "Be terse."}
    assert script.last.tool_names() == ["fast_tool"] and script.last.body["temperature"] == 0.25


@promise("replay.texts")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["--texts", "normal"], {12, 19}),
        (["--texts", "exact"], {12, 13, 19}),
        (["--texts", "any"], set[int]()),
        (["--grader", "contains.yaml"], {12}),
        (["--grader", "exact.yaml"], {12, 19}),
    ],
)
def test_when_texts_are_the_same_is_for_the_user_to_say(
    fifty: Fifty, upstream: Upstream, tmp_path: Path, line: list[str], found: set[int]
) -> None:
    (tmp_path / "contains.yaml").write_text("grader: {type: contains, values: ['{{item.recorded}}']}")
    (tmp_path / "exact.yaml").write_text("grader: {type: exact, value: '{{item.recorded}}'}")
    acts = {12: stored_runs.other_text, 13: stored_runs.same_text, 19: stored_runs.longer_text}
    otherwise = {(run, 2): act for run, act in acts.items()}
    upstream.on("fifty-texts").always(stored_runs.model(otherwise))
    line = [str(tmp_path / word) if word.endswith(".yaml") else word for word in line]
    status, diff = replayed(fifty, tmp_path, "--model", "fifty-texts", *line, *chosen(fifty, *acts))
    assert (status, changed(diff)) == (int(bool(found)), {(run, 2): ["text"] for run in found})


@promise("replay.results")
def test_a_replay_is_a_result_that_reports_show(
    fifty: Fifty, upstream: Upstream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.on("fifty-result").always(stored_runs.model({(14, 1): stored_runs.other_arguments}))
    out = tmp_path / "deep" / "out"
    line = ["--model", "fifty-result", "--out", str(out), *chosen(fifty, 14, 15, 16)]
    assert replayed(fifty, tmp_path, *line)[0] == 1
    result = read_result(out)
    assert (result.status, len(result.cases), result.model) == (1, 3, "fifty-result")
    assert [case.passed for case in result.cases if case.score < 1] == [0.0]
    (grade,) = [one for case in result.cases for one in case.attempts[0].grades if not one.passed]
    assert (grade.grader, grade.why) == ("step 1", "fast.fast_tool $.text: c14 became another 14")
    assert "became another 14" in (out / "report.html").read_text()
    said = capsys.readouterr().out
    assert "1 of 3 steps differ" in said and "- c14" in said and "+ another 14" in said


@promise("replay.results")
async def test_recordings_are_cases_of_a_suite(fifty: Fifty, upstream: Upstream, tmp_path: Path) -> None:
    """Each passes where the same calls are made, however texts differ."""
    upstream.on("fifty-suite").always(
        stored_runs.model({(16, 2): stored_runs.other_text, (21, 1): stored_runs.other_arguments})
    )
    suite = read_suite(fifty.file)
    named = {text_of(case.model_dump()): case for case in suite.cases}
    some = suite.model_copy(update={"cases": [named[f"Run {run}, please."] for run in (16, 21, 22)]})
    made = await attempts(some, fifty.server.url, tmp_path, "fifty-suite")
    chain, changed, same = made.values()
    assert (chain.fault, changed.fault, same.fault) == (None, None, None)
    assert (chain.passed, changed.passed, same.passed) == (True, False, True)
    assert chain.transcript and [[item["type"] for item in turn.items] for turn in chain.transcript.turns] == [
        ["mcp_call", "mcp_call", "function_call"], ["message"],
    ]  # fmt: skip


@promise("replay.exit")
def test_what_cannot_be_made_again_is_a_fault_of_its_case_alone(
    fifty: Fifty, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.on("fifty-broken").always(
        stored_runs.model({(17, 1): lambda _: fails(400, "No."), (18, 2): stored_runs.other_text})
    )
    status, diff = replayed(fifty, tmp_path, "--model", "fifty-broken", *chosen(fifty, 17, 18))
    assert status == 2
    faults = sorted(str(run["fault"]) for case in diff["cases"] for run in case["runs"])
    assert faults[0] == "None" and "No." in faults[1]
    assert changed({"cases": [case for case in diff["cases"] if case["runs"][0]["steps"]]}) == {(18, 2): ["text"]}


@promise("record.checked")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--from", "soon"], "--from soon: expected the number of a step"),
        (["--case", "none"], "--case none: "),
        (["--set", "temperature"], "--set temperature: expected NAME=VALUE"),
        (["--instructions", "@missing.md"], "--instructions missing.md: it cannot be read"),
        (["--tools", "pyproject.toml"], "--tools pyproject.toml: no JSON"),
        (["--grader", "pyproject.toml"], "pyproject.toml:"),
        (["--url", "http://127.0.0.1:9/v1"], "cannot be reached"),
    ],
)
def test_a_line_that_cannot_be_followed_says_so_in_one(
    fifty: Fifty, line: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("replay", str(fifty.file), *line) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said
