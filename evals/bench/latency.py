"""How old a token is when its reader has it: it bears the time at which the model sent it."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from statistics import median

from evals.bench.background import Caller, Follower
from evals.bench.bars import Bar
from evals.bench.client import Question
from evals.bench.crowd import WIDE
from evals.bench.postgres import postgres
from evals.bench.process import Place, Process
from evals.bench.site import Site

#: Streams at once, each of so many tokens a second.
_STREAMS = 16
_TIMED = Question("time-120-d50")
_STREAMED = Question("time-120-d50", stream=True)
#: Milliseconds that half of the tokens may take to one who follows.
_HERE, _THERE = 60, 100
#: Tokens of a stream that count, its last: those before may be from before it was followed.
_COUNTED = 80


async def latency(site: Site, say: Callable[[str], None]) -> list[Bar]:
    say("age of a token")
    with site.server("latency", *WIDE) as server:
        await _warm_up(server)
        bars = [
            _bar("read as it is made", await _asked(server), 20),
            _bar("followed, SQLite", await _followed(server, server), _HERE),
        ]
    with postgres() as place:
        return [*bars, *(await _shared(site, place) if place else [])]


async def _shared(site: Site, place: Place) -> list[Bar]:
    """The second process begins when the first has all the runs already, and makes none of them."""
    with site.server("latency one", *WIDE, place=place) as one:
        await _warm_up(one)
        here = await _followed(one, one)
        ids = await _queued(one, Question("time-400-d50"))
        with site.server("latency two", *WIDE, place=place) as two:
            there = await _read(two, ids)
    return [_bar("followed, PostgreSQL", here, _HERE), _bar("followed in another process", there, _THERE)]


async def _warm_up(server: Process) -> None:
    await _read(server, await _queued(server, Question("time-20-d50")))


async def _asked(server: Process) -> list[float]:
    readers = [Follower(server.port) for _ in range(_STREAMS)]
    await asyncio.gather(*(reader.ask(_STREAMED) for reader in readers))
    return _ages(readers)


async def _followed(maker: Process, reader: Process) -> list[float]:
    return await _read(reader, await _queued(maker, _TIMED))


async def _queued(server: Process, question: Question) -> list[str]:
    caller = Caller(server.port, _STREAMS)
    ids = await caller.queue(question, _STREAMS)
    await caller.until_begun(ids)
    caller.close()
    return ids


async def _read(server: Process, ids: Sequence[str]) -> list[float]:
    readers = [Follower(server.port) for _ in ids]
    await asyncio.gather(*(reader.follow(id) for reader, id in zip(readers, ids, strict=True)))
    return _ages(readers)


def _ages(readers: Sequence[Follower]) -> list[float]:
    for reader in readers:
        reader.close()
    return sorted(chain.from_iterable(reader.ages_ms[-_COUNTED:] for reader in readers))


def _bar(how: str, ages_ms: list[float], limit: float) -> Bar:
    p99 = ages_ms[len(ages_ms) * 99 // 100]
    detail = f"p99 {p99:.1f} ms; {_STREAMS} streams of 20 tokens a second"
    return Bar(f"age of a token, {how}, p50", median(ages_ms), limit, "ms", detail)
