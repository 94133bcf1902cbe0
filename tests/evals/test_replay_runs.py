"""`graphnexus eval record` and `eval replay`: stored runs made again by another model, and the steps that differ."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from openai import OpenAI

from evals.command import main
from tests import mcp_servers
from tests.contract import promise
from tests.evals import stored_runs
from tests.evals.stored_runs import CASES, CHAINS, RESPONSES, Maker, lines
from tests.process import Server
from tests.upstream import Upstream

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
    """Recorded once for all tests."""
    upstream.on("fifty").always(stored_runs.model())
    with OpenAI(base_url=server.url, api_key="sk-test", max_retries=0) as client:
        Maker(client, "fifty", fast).make()
    file = tmp_path_factory.mktemp("fifty") / "runs.jsonl"
    found = "model=fifty,metadata.set=fifty,since=1h"
    assert ended("record", "--filter", found, "--out", str(file), "--url", server.url) == 0
    return Fifty(file, fast, server)


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
    before = fifty.fast.counts()
    status, diff = replayed(fifty, tmp_path)
    assert (status, changed(diff)) == (0, {})
    assert requests(diff) == RESPONSES
    assert sum(len(run["steps"]) for case in diff["cases"] for run in case["runs"]) == CASES * 3
    assert fifty.fast.counts() == before


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
    }))  # fmt: skip
    before = fifty.fast.counts()
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
    assert fifty.fast.counts() == before
