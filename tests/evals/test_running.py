"""A run of a suite: killed and gone on with, limited, told how far it is; its exit status is its verdict."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from evals.report.reading import read
from evals.results import Attempt
from evals.running.grading import Graders
from evals.running.journal import Journal
from evals.suite.reading import read as read_suite
from evals.transcript import Made, Transcript
from evals.unfit import Unfit
from tests.connection import Connection
from tests.contract import promise
from tests.process import Server, nursery, run_module
from tests.told import eventually
from tests.upstream import Ask, Step, Upstream, says

Json = dict[str, Any]
MANY, AT_ONCE = 500, 6


def suite(path: Path, cases: int = 1, **more: Any) -> Path:
    """Cases that ask for their own number's double."""
    asked = [{"id": f"case-{at}", "input": f"Twice {at}?", "expect": str(2 * at)} for at in range(cases)]
    path.write_text(json.dumps({"name": "doubles", "cases": asked, **more}))  # YAML, too
    return path


class Model:
    """Doubles numbers, and counts how many it is asked for at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __call__(self, ask: Ask) -> Step:
        return says(str(2 * int(number_in(ask)))).acting(-1, self._slowly)

    async def _slowly(self, wire: Connection) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1


def number_in(ask: Ask) -> str:
    return re.findall(r"\d+", str(ask.messages[-1]["content"]))[0]


def line(suite: Path, server: Server, model: str, out: Path, *more: str) -> list[str]:
    return ["run", str(suite), "--url", server.url, "--model", model, "--out", str(out), *more]


@promise("running.resumed", "running.limits")
def test_500_cases_killed_at_half_are_each_asked_and_counted_once(
    server: Server, upstream: Upstream, tmp_path: Path
) -> None:
    model = Model()
    script = upstream.on("doubles").always(model)
    asked = line(suite(tmp_path / "doubles.yaml", MANY, concurrency=AT_ONCE), server, "doubles", tmp_path / "run")
    running = nursery().start(["evals.command", *asked], os.environ, tmp_path / "log")
    noted = tmp_path / "run" / "attempts.jsonl"

    def half() -> None:
        assert noted.exists() and noted.read_bytes().count(b"\n") >= MANY // 2

    eventually(half, AssertionError, 60)
    running.kill()
    running.wait(10)
    done = noted.read_bytes().count(b"\n")
    assert MANY // 2 <= done < MANY
    ended = run_module("evals.command", *asked)
    assert ended.returncode == 0, ended.stderr
    assert f"{done} known from before" in ended.stderr
    result = read(tmp_path / "run")
    assert result.complete and [len(case.attempts) for case in result.cases] == [1] * MANY
    assert all(case.passed == 1 for case in result.cases)
    numbers = [number_in(ask) for ask in script.seen]
    assert len(numbers) == len(set(numbers)) == MANY
    assert model.most == AT_ONCE


@promise("running.resumed")
def test_a_place_is_one_process_at_a_time_and_holds_attempts_alone(tmp_path: Path) -> None:
    wanted = read_suite(suite(tmp_path / "doubles.yaml"))
    with Journal.opened(tmp_path / "run", wanted, "here", "m") as journal:
        journal.note("case-0", Attempt(passed=True))
        with pytest.raises(Unfit, match="Another process"), Journal.opened(tmp_path / "run", wanted, "here", "m"):
            pass
    with Journal.opened(tmp_path / "run", wanted, "here", "m") as again:
        assert again.done[("case-0", 1)].passed
        assert again.about == journal.about
    with (tmp_path / "run" / "attempts.jsonl").open("ab") as lines:
        lines.write(b'{"half": ')
    with Journal.opened(tmp_path / "run", wanted, "here", "m") as mended:
        mended.note("case-1", Attempt(fault="gone"))
    with Journal.opened(tmp_path / "run", wanted, "here", "m") as last:
        assert list(last.done) == [("case-0", 1)], "what has no verdict is asked again"
    (tmp_path / "run" / "attempts.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(Unfit, match="attempts.jsonl:1"), Journal.opened(tmp_path / "run", wanted, "here", "m"):
        pass


@promise("running.faults")
@pytest.mark.parametrize(("status", "is_fault"), [(429, True), (503, True), (400, False), (404, False)])
async def test_what_a_server_cannot_do_now_is_no_verdict(tmp_path: Path, status: int, is_fault: bool) -> None:
    wanted = read_suite(suite(tmp_path / "doubles.yaml"))
    error = {"status": status, "message": "No.", "type": "x", "param": None, "code": None}
    made = Transcript(case="case-0", turns=[Made(error=error)])
    attempt = await Graders(wanted, None).graded(wanted.cases[0], made)
    assert (attempt.fault is not None, attempt.passed) == (is_fault, False)
    assert "No." in (attempt.fault or attempt.grades[0].why)
