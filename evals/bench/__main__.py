"""`make bench`: measures, says which bars hold; exit status 1 when one does not.

make bench ARGS="--quick"          fewer rounds, turns and runs
make bench ARGS="spine latency"    only these parts
make bench ARGS="--out FILE"       the figures as JSON, too
make bench ARGS="--long"           memory over 20,000 requests and searches of 100,000 windows, too
make bench ARGS="--against DIR"    the foreground beside another version's checkout, too
"""

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import uvloop

from evals.bench.bars import QUICK, Bar, Effort, Servers, memory, ratios, starts
from evals.bench.chain import branch, growth
from evals.bench.client import Question
from evals.bench.crowd import WIDE, crowd, followers
from evals.bench.durable import overheads, runs, stored
from evals.bench.latency import latency
from evals.bench.marathon import marathon
from evals.bench.mcp import mcp
from evals.bench.postgres import postgres
from evals.bench.process import Process, machine
from evals.bench.sandboxes import sandboxes
from evals.bench.search import large, search
from evals.bench.since import since
from evals.bench.site import Site
from evals.bench.web import flags, web

PARTS = ("spine", "durable", "crowd", "stored", "latency", "mcp", "sandbox", "search", "web")


class Bench:
    """One measurement."""

    def __init__(self, site: Site, effort: Effort) -> None:
        self._site = site
        self._effort = effort

    async def spine(self) -> list[Bar]:
        return [*await self._alone(), *await self._compared()]

    async def durable(self) -> list[Bar]:
        say("background runs")
        with self._site.server("durable") as server:
            bars = await overheads(self._site, server, self._effort, "SQLite")
        with postgres() as place:
            if place is None:
                return bars
            say("background runs on PostgreSQL")
            with self._site.server("durable shared", place=place) as server:
                return [*bars, *await overheads(self._site, server, self._effort, "PostgreSQL")]

    async def crowd(self) -> list[Bar]:
        count = self._effort.crowd
        say(f"{count} background runs of three steps")
        with self._site.server("crowd") as server:
            bars = await crowd(self._site, server, count, Question("tool-3"), f"{count} queued")
        with self._site.server("wide", *WIDE) as server:
            bars += await crowd(self._site, server, count, Question("tool-3-d2000"), f"{count} made at once")
        say("followers")
        with self._site.server("followed", *WIDE) as server:
            return [*bars, *await followers(server, self._effort.followers)]

    async def stored(self) -> list[Bar]:
        say("stored bytes")
        return [await stored(self._site, run, self._effort.requests) for run in runs(self._site)]

    async def latency(self) -> list[Bar]:
        return await latency(self._site, say)

    async def mcp(self) -> list[Bar]:
        say("calls of MCP tools")
        with self._site.server("mcp") as server:
            return await mcp(self._site, server, self._effort)

    async def sandbox(self) -> list[Bar]:
        say("sandboxes")
        return await sandboxes()

    async def search(self) -> list[Bar]:
        return await search(self._site, self._effort, say)

    async def web(self) -> list[Bar]:
        say("searches and pages of the web")
        with (
            self._site.run("pages", "evals.bench.pages") as pages,
            self._site.server("web", *flags(pages)) as server,
        ):
            return await web(self._site, server, pages, self._effort)

    async def long(self) -> list[Bar]:
        return [*await marathon(self._site, say), *await large(self._site, say)]

    async def against(self, checkout: Path) -> list[Bar]:
        return await since(self._site, checkout, self._effort, say)

    async def _alone(self) -> list[Bar]:
        """What needs a server that does nothing else: starts, a long conversation, memory."""
        database = self._site.database("alone")
        with self._site.server("alone") as empty:
            say("a long conversation")
            chain, bars = await growth(empty, database, self._effort.turns)
            chain.close()
            say("open streams")
            bars.append(await memory(empty, self._effort))
        with self._site.server("alone") as again:
            say("a restart")
            bars += await branch(again, database, [turn.id for turn in chain.turns])
        return [*starts(empty, [again, *self._restarted(2)]), *bars]

    def _restarted(self, times: int) -> Iterator[Process]:
        for _ in range(times):
            with self._site.server("alone") as again:
                yield again

    async def _compared(self) -> list[Bar]:
        with ExitStack() as stack:
            servers = Servers(stack.enter_context(self._site.server("compared")))
            for kind in ("httpx", "raw"):
                floor = self._site.run(kind, "evals.bench.floor", kind, after=(self._site.upstream,))
                servers.floors[kind] = stack.enter_context(floor)
            return await ratios(servers, self._effort, say)


async def measured(given: argparse.Namespace) -> list[Bar]:
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, ExitStack() as stack:
        bench = Bench(Site(Path(directory), stack), QUICK if given.quick else Effort())
        work: list[Callable[[], Awaitable[list[Bar]]]] = [getattr(bench, part) for part in given.parts or PARTS]
        if given.long:
            work.append(bench.long)
        if given.against:
            work.append(partial(bench.against, given.against))
        bars: list[Bar] = []
        for part in work:
            some = await part()
            print(table(some), flush=True)
            bars += some
        return bars


def say(what: str) -> None:
    print(f"  measuring: {what}", file=sys.stderr, flush=True)


def table(bars: Sequence[Bar]) -> str:
    return "\n".join(row(bar) for bar in bars)


def row(bar: Bar) -> str:
    verdict = "holds " if bar.holds else "MISSED"
    return f"{verdict}  {bar.name:60}  {bar.value:8.2f}  (at most {bar.limit:g} {bar.unit})   {bar.detail}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.bench", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all of them")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, turns and runs")
    parser.add_argument(
        "--long",
        action="store_true",
        help="memory over 20,000 requests, searches of 100,000 windows, too",
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="compare with another version's checkout, too")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON, too")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    about = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {machine()}"
    print(about)
    bars = uvloop.run(measured(given))
    if given.out:
        figures = [{**bar._asdict(), "holds": bar.holds} for bar in bars]
        given.out.write_text(json.dumps({"about": about, "bars": figures}, indent=1))
    sys.exit(0 if all(bar.holds for bar in bars) else 1)


if __name__ == "__main__":
    main()
