"""Two processes on one store: they write, free and take over at the same time, and nothing gets lost or mixed up."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from checkpoints import Attempt
from checkpoints.database import Database, Rows, Work
from checkpoints.feed import LocalFeed
from checkpoints.item_log import LogCache
from checkpoints.postgres import PostgresDatabase
from checkpoints.sqlite import SqliteDatabase
from checkpoints.store import store_on
from graph.errors import LeaseLost, NotFound
from graph.hold import Batch, Hold, Lease
from graph.ids import new_id
from graph.log import EventLog
from tests.contract import promise
from tests.postgres import url_of
from tests.store_graph import Caller, opened, used_bytes


class Two(NamedTuple):
    a: Caller
    b: Caller


@pytest.fixture
async def two(name: str, tmp_path: Path) -> AsyncIterator[Two]:
    async with opened(name, tmp_path / "store.db") as a, opened(name, tmp_path / "store.db") as b:
        yield Two(a, b)


@promise("store.together")
@pytest.mark.parametrize("durability", ["exit", "async"])
async def test_both_continue_one_head_side_by_side(name: str, tmp_path: Path, two: Two, durability: str) -> None:
    head = (await two.a.chain(3))[-1]
    asked = [f"Branch {number}" for number in range(12)]
    branches = await asyncio.gather(*(two[at % 2].ask(text, head, durability) for at, text in enumerate(asked)))
    leaves = await asyncio.gather(
        *(two[at // 2 % 2].ask("Leaf", branch, durability) for at, branch in enumerate(branches))
    )
    async with opened(name, tmp_path / "store.db") as cold:
        for caller in (*two, cold):
            for text, leaf in zip(asked, leaves, strict=True):
                expected = ["Question 0", "Question 1", "Question 2", text, "Leaf"]
                assert await caller.questions(leaf) == expected


@promise("store.together")
async def test_both_begin_one_thread(two: Two) -> None:
    async def begin(at: int) -> Any:
        return await two[at % 2].ask(f"Question {at}", thread_id="thread")

    made = await asyncio.gather(*(begin(at) for at in range(8)))
    for at, stored in enumerate(made):
        assert (await two.a.questions(stored))[-1] == f"Question {at}"


@promise("store.freeing")
async def test_deleting_a_parent_beside_its_continuation_loses_nothing(name: str, tmp_path: Path, two: Two) -> None:
    leaves: list[tuple[int, Any]] = []
    for turn in range(25):
        request = {"instructions": os.urandom(300).hex()}
        head = (await two.a.chain(2, request=request))[-1]
        after = [two[at % 2].ask("Leaf", head, request=request) for at in range(3)]
        gone = [two[at].store.responses.delete("local", head.record["id"]) for at in (1, 0)]
        *made, first, second = await asyncio.gather(*after, *gone)
        assert {first, second} == {True, False}
        leaves += [(turn, leaf) for leaf in made]
        assert await two.b.store.responses.find("local", head.record["id"]) is None
    async with opened(name, tmp_path / "store.db") as cold:
        for caller in (cold, *two):
            for _, leaf in leaves:
                said = await caller.questions(leaf)
                # One that began when its parent had gone has nothing before it.
                assert said in (["Question 0", "Question 1", "Leaf"], ["Leaf"])
                assert (await caller.stored(leaf.record["id"])).request == leaf.request


class Slow:
    """A database whose next write, once armed, waits before it commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._armed = False
        self.written = threading.Event()
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def arm(self) -> None:
        self._armed = True

    def write(self, work: Work[Any]) -> Future[Any]:
        def slowly(rows: Rows) -> Any:
            result = work(rows)
            if self._armed:
                self._armed = False
                self.written.set()
                self.go.wait(1.5)
            return result

        return self._database.write(slowly)


@asynccontextmanager
async def slow(name: str, path: Path) -> AsyncIterator[tuple[Caller, Slow]]:
    async with opened(name, path):  # makes it
        cache = LogCache(2**20)
    database = (
        PostgresDatabase(url_of(path), 2, cache.clear) if name == "postgresql" else SqliteDatabase(path, "NORMAL")
    )
    try:
        slowly = Slow(database)
        yield Caller(store_on(slowly, LocalFeed(), cache, "")), slowly
    finally:
        await asyncio.to_thread(database.close)


async def meanwhile(slowly: Slow, first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]) -> list[Any]:
    """`second` begins when `first` has written and not yet committed, and has a good while for itself."""
    slowly.arm()
    running = [asyncio.ensure_future(first)]
    async with asyncio.timeout(10):
        while not slowly.written.is_set():
            await asyncio.sleep(0.005)
    running.append(asyncio.ensure_future(second))
    await asyncio.wait(running, timeout=0.3)
    slowly.go.set()
    return await asyncio.gather(*running)


@promise("store.freeing")
@pytest.mark.parametrize("first", ["growth", "deletion"])
async def test_growth_and_deletion_at_the_same_moment(name: str, tmp_path: Path, first: str) -> None:
    path, request = tmp_path / "store.db", {"instructions": os.urandom(300).hex()}
    async with slow(name, path) as (a, slowly), opened(name, path) as b:
        head = await a.ask("Head", (await a.chain(2))[-1], request=request)
        asker, deleter = (a, b) if first == "growth" else (b, a)
        grows = asker.ask("Leaf", head, request=request)
        deletes = deleter.store.responses.delete("local", head.record["id"])
        done = await meanwhile(slowly, *((grows, deletes) if first == "growth" else (deletes, grows)))
        leaf = next(one for one in done if one is not True)
    async with opened(name, path) as cold:
        assert await cold.questions(leaf) == ["Question 0", "Question 1", "Head", "Leaf"]
        assert (await cold.stored(leaf.record["id"])).request == request


@promise("store.freeing")
async def test_two_deletions_at_the_same_moment_leave_nothing_behind(name: str, tmp_path: Path) -> None:
    path, request = tmp_path / "store.db", {"instructions": os.urandom(100_000).hex()}
    async with slow(name, path) as (a, slowly), opened(name, path) as b:
        await a.ask("Stays")
        empty = used_bytes(name, path)
        head = await a.ask("x" * 100_000)
        one, two = [await a.ask("Leaf", head, request=request) for _ in range(2)]
        await a.store.responses.delete("local", head.record["id"])
        deletions = [who.store.responses.delete("local", what.record["id"]) for who, what in ((a, one), (b, two))]
        assert await meanwhile(slowly, *deletions) == [True, True]
    assert used_bytes(name, path) <= empty + 64 * 1024


@promise("store.freeing")
async def test_what_both_delete_at_once_is_freed(name: str, tmp_path: Path, two: Two) -> None:
    await two.a.ask("Stays")
    empty = used_bytes(name, tmp_path / "store.db")
    head = (await two.a.chain(30))[-1]
    request = {"instructions": os.urandom(4000).hex()}
    made = [await two.a.ask("x" * 4000, head, request=request) for _ in range(16)]
    halves = [made[at::2] for at in range(2)]

    async def clear(at: int) -> None:
        for stored in halves[at]:
            assert await two[at].store.responses.delete("local", stored.record["id"])

    await asyncio.gather(clear(0), clear(1))
    await two.b.store.saver.adelete_thread(head.thread_id)
    assert used_bytes(name, tmp_path / "store.db") <= empty + 64 * 1024


@promise("store.freeing")
async def test_what_one_remembers_is_never_what_another_wrote_in_its_place(two: Two) -> None:
    head = (await two.a.chain(2))[-1]
    for turn in range(6):
        writes, remembers = two[turn % 2], two[(turn + 1) % 2]
        deleted = await writes.ask(f"Deleted {turn}", head)
        assert (await remembers.questions(deleted))[-1] == f"Deleted {turn}"
        assert await writes.store.responses.delete("local", deleted.record["id"])
        again = await writes.ask(f"Again {turn}", head)
        longer = await remembers.ask("Longer", again)
        for caller in two:
            assert await caller.questions(longer) == ["Question 0", "Question 1", f"Again {turn}", "Longer"]
        with pytest.raises(NotFound):
            await writes.store.responses.items(deleted)


# ---------------------------------------------------------------- who may write


def held(caller: Caller, response_id: str) -> Hold:
    log = EventLog(kept=True)
    return Hold(Lease(response_id, caller.store.runs.worker, 0), "local", log)


@promise("store.together")
async def test_one_of_many_takes_a_response_over(two: Two) -> None:
    for _ in range(10):
        hold = held(two.a, new_id("resp_"))
        await two.a.store.runs.append(hold, Batch(0, [b"data: 0\n\n"]))  # nobody beats, so nobody lives
        response_id = hold.lease.response_id
        for caller in two:
            await caller.store.workers.beat()
        await two.a.store.workers.leave()
        claims = await asyncio.gather(*(two[1].store.runs.claim(response_id) for _ in range(2)))
        assert [claim is not None for claim in claims].count(True) >= 1
        with pytest.raises(LeaseLost):
            await two.a.store.runs.append(hold, Batch(1, [b"data: 1\n\n"]))
        assert await two.b.store.runs.claim(response_id)


@promise("idempotency.together")
async def test_one_of_many_has_a_key(two: Two) -> None:
    for caller in two:
        await caller.store.workers.beat()
    for turn in range(10):
        mine = [Attempt(new_id("resp_"), b"hash", False) for _ in range(6)]
        takes = [two[at % 2].store.idempotency.take("local", f"key {turn}", one) for at, one in enumerate(mine)]
        assert len({attempt.response_id for attempt in await asyncio.gather(*takes)}) == 1


@promise("store.follow")
async def test_events_of_one_are_read_by_the_other_at_once(name: str, two: Two) -> None:
    hold = held(two.a, new_id("resp_"))
    await two.a.store.runs.append(hold, Batch(0, [b"data: 0\n\n"]))
    read = list[bytes]()

    async def follow() -> None:
        async for frames in two.b.store.events.follow(hold.lease.response_id):
            read.extend(frames)

    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        began = asyncio.get_running_loop().time()
        for number in range(1, 9):
            await asyncio.sleep(0.05)
            await two.a.store.runs.append(hold, Batch(number, [b"data: %d\n\n" % number]))
        await two.a.store.runs.finish(hold, Batch(9, [b"data: 9\n\n"]))
        await following
    took_s = asyncio.get_running_loop().time() - began
    assert read == [b"data: %d\n\n" % number for number in range(10)]
    assert took_s < (1.0 if name == "postgresql" else 4.0), "nobody told the reader"
