"""`make bench`: measures, says which bars hold; exit status 1 when one does not.

make bench ARGS="--quick"      under a minute
make bench ARGS="--out FILE"   the figures as JSON, too
"""

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import uvloop

from evals.bench.bars import QUICK, Bar, Effort, Servers, memory, ratios, starts
from evals.bench.chain import branch, growth
from evals.bench.process import Process, free_port, machine


class Bench:
    """One measurement, in a directory of its own."""

    def __init__(self, directory: Path, effort: Effort) -> None:
        self._directory = directory
        self._effort = effort
        self._upstream = f"http://127.0.0.1:{free_port()}"

    async def bars(self) -> list[Bar]:
        with ExitStack() as stack:
            port = int(self._upstream.rpartition(":")[2])
            stack.enter_context(Process.running(port, ["evals.bench.upstream", str(port)], self._log("upstream")))
            return [*await self._alone(), *await self._compared()]

    async def _alone(self) -> list[Bar]:
        """What needs a server that does nothing else: starts, a long conversation, memory."""
        database = self._directory / "alone" / "graphnexus.db"
        with self._server("alone") as empty:
            say("a long conversation")
            chain, bars = await growth(empty, database, self._effort.turns)
            chain.close()
            say("open streams")
            bars.append(await memory(empty, self._effort))
        with self._server("alone") as again:
            say("a restart")
            bars += await branch(again, database, [turn.id for turn in chain.turns])
        return [*starts(empty, [again, *self._restarted(2)]), *bars]

    def _restarted(self, times: int) -> Iterator[Process]:
        for _ in range(times):
            with self._server("alone") as again:
                yield again

    async def _compared(self) -> list[Bar]:
        with ExitStack() as stack:
            servers = Servers(stack.enter_context(self._server("compared")))
            for kind in ("httpx", "raw"):
                port = free_port()
                line = ["evals.bench.floor", kind, str(port), self._upstream]
                servers.floors[kind] = stack.enter_context(Process.running(port, line, self._log(kind)))
            return await ratios(servers, self._effort, say)

    def _server(self, name: str) -> AbstractContextManager[Process]:
        port = free_port()
        line = ["server", "serve", "--port", str(port), "--upstream", f"{self._upstream}/v1"]
        return Process.running(port, [*line, "--data-dir", str(self._directory / name)], self._log(name))

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"


def say(what: str) -> None:
    print(f"  measuring: {what}", file=sys.stderr, flush=True)


def table(bars: Sequence[Bar]) -> str:
    wide = max(len(bar.name) for bar in bars)
    return "\n".join(row(bar, wide) for bar in bars)


def row(bar: Bar, wide: int) -> str:
    verdict = "holds " if bar.holds else "MISSED"
    return f"{verdict}  {bar.name:{wide}}  {bar.value:8.2f}  (at most {bar.limit:g} {bar.unit})   {bar.detail}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.bench", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and turns")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON, too")
    given = parser.parse_args()
    about = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {machine()}"
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        bars = uvloop.run(Bench(Path(directory), QUICK if given.quick else Effort()).bars())
    print(f"{about}\n{table(bars)}")
    if given.out:
        figures = [{**bar._asdict(), "holds": bar.holds} for bar in bars]
        given.out.write_text(json.dumps({"about": about, "bars": figures}, indent=1))
    sys.exit(0 if all(bar.holds for bar in bars) else 1)


if __name__ == "__main__":
    main()
