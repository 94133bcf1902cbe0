"""A run of a suite: killed and gone on with, limited, told how far it is; its exit status is its verdict."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

from evals.report.reading import read
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
