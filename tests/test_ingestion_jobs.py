"""Who makes which file searchable, and when: rows held in the hand, on every store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from checkpoints import STORES, Store
from checkpoints.files import Files, Named
from checkpoints.ingestion import Ingestions
from checkpoints.storage import Storage
from checkpoints.vector_files import VectorFiles, Wanted
from checkpoints.vector_stores import Draft, VectorStores
from checkpoints.windows import Windows
from graph.errors import LeaseLost
from graph.vector_stores import Edition, Place, Scope, StoreFile, Window
from nodes.documents.parser import Documents
from nodes.file_search.fusion import Ranking
from nodes.file_search.ingestion import Ingestion
from nodes.file_search.making import Bounds, Maker
from nodes.file_search.search import Search
from tests.contract import promise
from tests.ingesting import prose
from tests.store_graph import place_of

ALL_IN = Edition(4, 2, ["english"], None, 5)


class Shelf(NamedTuple):
    store: Store
    files: Files
    jobs: Ingestions
    #: Of another process on the same database.
    other: Ingestions

    async def holds(self, owner: str, *contents: bytes) -> Sequence[str]:
        """Ids of files that were put into a store of this owner."""
        ids = [await self._uploaded(owner, content) for content in contents]
        shelf = await VectorStores(self.store.database).create(owner, Draft(), id=f"vs_{owner}")
        waiting = VectorFiles(self.store.database, self.store.feed)
        await waiting.attach(owner, shelf.id, [Wanted(id, {}) for id in ids])
        return ids

    async def file(self, owner: str, id: str) -> StoreFile:
        found = await VectorFiles(self.store.database, self.store.feed).find(owner, f"vs_{owner}", id)
        assert found
        return found

    async def _uploaded(self, owner: str, content: bytes) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        place, size = await self.files.write(chunks())
        return (await self.files.add(owner, Named("a.txt", "assistants"), place, size)).id


@pytest.fixture
async def shelf(name: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with STORES[name](place_of(name, tmp_path / "store.db")) as store:
        await store.workers.beat()
        storage = Storage.at(str(tmp_path / "files"))
        mine = Ingestions(store.database, store.feed, store.workers.id)
        other = Ingestions(store.database, store.feed, "another")
        yield Shelf(store, Files(store.database, storage, 2**30), mine, other)
        storage.close()


@promise("ingestion.fair")
async def test_owners_take_turns(shelf: Shelf) -> None:
    for owner, count in (("ann", 5), ("bob", 2), ("cid", 1)):
        await shelf.holds(owner, *[b"x"] * count)
    turns = ["".join(sorted(job.owner[0] for job in await shelf.jobs.take(count))) for count in (3, 2, 9)]
    assert turns == ["abc", "ab", "aaa"]
    assert not await shelf.jobs.take(9)


@promise("ingestion.fenced")
async def test_who_lost_a_file_cannot_write_it_nor_end_it(shelf: Shelf) -> None:
    (id,) = await shelf.holds("ann", b"x")
    windows = Windows(shelf.store.database)
    (late,) = await shelf.other.take(1)  # by a process that has said nothing of itself: it is dead
    (job,) = await shelf.jobs.take(1)
    assert job.edition > late.edition
    assert not await shelf.other.wanted(late)
    with pytest.raises(LeaseLost):
        await windows.add(late, 0, [Window("late", ["late"])], None)
    assert not await shelf.other.fail(late, "server_error", "It was late.")
    await shelf.other.leave(late)
    assert await shelf.jobs.wanted(job)
    await windows.add(job, 0, [Window("mine", ["mine"])], None)
    assert not await shelf.other.complete(late, ALL_IN)
    assert (await shelf.file("ann", id)).status == "in_progress"
    assert await shelf.jobs.complete(job, ALL_IN)
    assert not await shelf.jobs.fail(job, "server_error", "It is complete.")
    assert (await shelf.file("ann", id)).status == "completed"
    assert await windows.whole("ann", "vs_ann", id) == "mine"
    await windows.sweep()
    assert await _editions(shelf) == 1


@promise("ingestion.fenced")
async def test_two_that_look_at_once_take_different_files(name: str, tmp_path: Path, shelf: Shelf) -> None:
    await shelf.holds("ann", *[b"x"] * 12)
    async with STORES[name](place_of(name, tmp_path / "store.db")) as second:
        await second.workers.beat()
        theirs = Ingestions(second.database, second.feed, second.workers.id)
        taken = await asyncio.gather(*(jobs.take(2) for _ in range(5) for jobs in (shelf.jobs, theirs)))
    keys = [job.file_id for jobs in taken for job in jobs]
    assert len(keys) == len(set(keys))
    assert await _editions(shelf) == len(keys)


@promise("ingestion.given_up")
async def test_what_was_left_was_not_tried(shelf: Shelf) -> None:
    (id,) = await shelf.holds("ann", b"x")
    for _ in range(5):
        (job,) = await shelf.jobs.take(1)
        await shelf.jobs.leave(job)
    for _ in range(3):
        assert len(await shelf.other.take(1)) == 1
    assert not await shelf.jobs.take(1)
    found = await shelf.file("ann", id)
    assert (found.status, found.error_code) == ("failed", "server_error")


class Turning(Windows):
    """While a search is on its way, a file is made anew."""

    turn: Callable[[], Awaitable[object]] | None = None

    async def places(self, scope: Scope, windows: Sequence[int]) -> Sequence[Place]:
        if turn := self.turn:
            self.turn = None
            await turn()
        return await super().places(scope, windows)


@promise("ingestion.again")
async def test_a_search_finds_a_file_that_is_made_anew_in_the_midst_of_it(shelf: Shelf) -> None:
    (id,) = await shelf.holds("ann", b"bread")
    windows = Turning(shelf.store.database)
    (job,) = await shelf.jobs.take(1)
    await windows.add(job, 0, [Window("bread", ["bread"])], None)
    await shelf.jobs.complete(job, ALL_IN)
    await VectorFiles(shelf.store.database, shelf.store.feed).attach("ann", "vs_ann", [Wanted(id, {})])
    (again,) = await shelf.jobs.take(1)
    await windows.add(again, 0, [Window("more bread", ["more", "bread"])], None)
    windows.turn = lambda: shelf.jobs.complete(again, ALL_IN)
    (hit,) = await Search(windows).find(Scope("ann", ["vs_ann"]), ["bread"], Ranking(), 5)
    assert hit.text == "more bread"


async def _editions(shelf: Shelf) -> int:
    read = shelf.store.database.read(lambda rows: rows.execute("SELECT COUNT(*) FROM search_edition").fetchone())
    return (await asyncio.wrap_future(read))[0]


@promise("ingestion.responsive")
async def test_the_loop_stays_free_while_files_are_made_searchable(tmp_path: Path) -> None:
    """1.5 MB of text in two files; the best of three counts: others take their turns on this machine, too."""
    worst: list[float] = []
    for at in range(3):
        late = await _lateness(tmp_path / str(at))
        worst.append(sorted(late)[int(len(late) * 0.99)])
        if worst[-1] < 0.02:
            return
    assert min(worst) < 0.02, worst


async def _lateness(directory: Path) -> Sequence[float]:
    """How late a loop came back to a task that sleeps, each time."""
    late, loop = list[float](), asyncio.get_running_loop()
    async with STORES["sqlite"](directory / "store.db") as store:
        await store.workers.beat()
        storage = Storage.at(str(directory / "files"))
        jobs = Ingestions(store.database, store.feed, store.workers.id)
        shelf = Shelf(store, Files(store.database, storage, 2**30), jobs, jobs)
        maker = Maker(jobs, Windows(store.database), shelf.files, Documents(), None, Bounds())
        ids = await shelf.holds("ann", prose(120_000).encode(), prose(120_000, "v").encode())
        async with Ingestion(maker).keeping():
            while [id for id in ids if (await shelf.file("ann", id)).status == "in_progress"]:
                for _ in range(10):
                    before = loop.time()
                    await asyncio.sleep(0.005)
                    late.append(loop.time() - before - 0.005)
        assert {(await shelf.file("ann", id)).status for id in ids} == {"completed"}
        storage.close()
    return late
