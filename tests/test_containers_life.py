"""A container outlives its sandbox: idle times, ends of servers, other processes. Real store, real sandbox."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.containers import Fresh
from graph.errors import LeaseLost, ToolFailed
from nodes.sandbox.choose import Choice
from tests.containers import OWNER, Hand, hand, pieces, rooms
from tests.contract import promise


@pytest.fixture(scope="module")
async def ways() -> AsyncIterator[Choice]:
    made = rooms()
    yield made
    await made.close()


@pytest.fixture
async def here(ways: Choice, tmp_path: Path) -> AsyncIterator[Hand]:
    async with hand("sqlite", tmp_path, ways) as made:
        yield made


@promise("containers.calls")
async def test_calls_share_variables_and_files(here: Hand) -> None:
    id = await here.new()
    first = await here.run(id, "x = 41\nwith open('/mnt/data/made.txt', 'w') as f: _ = f.write('by code')")
    assert (first.fresh, first.lost, [file.path for file in first.files]) == (True, False, ["/mnt/data/made.txt"])
    assert first.files[0].source == "assistant"
    await here.put(id, "sent.txt", b"by a caller")
    second = await here.run(id, "x + 1, open('/mnt/data/sent.txt').read()")
    assert (second.said, second.fresh, second.files) == ("(42, 'by a caller')", False, [])
    assert await here.files(id) == {"made.txt": b"by code", "sent.txt": b"by a caller"}


@promise("containers.calls")
async def test_files_change_and_go_on_both_sides(here: Hand) -> None:
    id = await here.new()
    made = await here.run(
        id, "import os\nos.makedirs('/mnt/data/sub')\nfor n in 'abc': open(f'/mnt/data/sub/{n}', 'w').write(n)"
    )
    assert sorted(await here.files(id)) == ["sub/a", "sub/b", "sub/c"]
    before = next(file for file in made.files if file.path.endswith("/b"))
    assert await here.shelf.remove(OWNER, id, next(file.id for file in made.files if file.path.endswith("/a")))
    changed = await here.run(
        id,
        "os.chdir('/mnt/data/sub')\nprint(sorted(os.listdir()))\nopen('b', 'a').write('!')\nos.remove('c')",
    )
    assert "['b', 'c']" in changed.said
    assert [(file.id, file.path) for file in changed.files] == [(before.id, "/mnt/data/sub/b")]
    assert await here.files(id) == {"sub/b": b"b!"}


@promise("containers.calls")
async def test_calls_wait_their_turn(here: Hand) -> None:
    id = await here.new()
    await here.run(id, "import time\nlog = []")
    code = "log.append('in')\ntime.sleep(0.05)\nlog.append('out')"
    await asyncio.gather(*(here.run(id, code) for _ in range(3)))
    assert (await here.run(id, "log")).said == str(["in", "out"] * 3)


@promise("containers.conflict")
async def test_what_is_uploaded_during_a_call_is_not_lost(here: Hand) -> None:
    id = await here.new()
    await here.run(id, "1")
    code = "import time\nfor name in ('both', 'own'): open(f'/mnt/data/{name}', 'w').write('code')\ntime.sleep(0.5)"
    running = asyncio.create_task(here.run(id, code))
    await asyncio.sleep(0.1)
    await here.put(id, "both", b"caller")
    await here.put(id, "other", b"caller")
    await running
    assert await here.files(id) == {"both": b"code", "own": b"code", "other": b"caller"}, "the call ended later"
    await here.put(id, "both", b"caller")
    assert (await here.run(id, "open('/mnt/data/both').read()")).said == "'caller'"


@promise("containers.idle")
async def test_an_idle_sandbox_goes_and_what_was_in_it_comes_back(ways: Choice, tmp_path: Path) -> None:
    async with hand("sqlite", tmp_path, ways, idle_s=0.2) as here:
        id = await here.new()
        first = await here.run(id, "x = [1, 2]\nopen('/mnt/data/f', 'w').write('kept')")
        assert first.fresh
        await gone(here, id)
        again = await here.run(id, "x, open('/mnt/data/f').read()")
        assert (again.said, again.fresh, again.lost) == ("([1, 2], 'kept')", True, False)


@promise("containers.restart")
async def test_a_server_that_stops_leaves_variables_to_the_next(ways: Choice, tmp_path: Path) -> None:
    async with hand("sqlite", tmp_path, ways) as here:
        id = await here.new()
        await here.run(id, "x = {'a': 1}\nopen('/mnt/data/f', 'w').write('kept')")
    async with hand("sqlite", tmp_path, ways) as next_one:
        again = await next_one.run(id, "x, open('/mnt/data/f').read()")
        assert (again.said, again.fresh, again.lost) == ("({'a': 1}, 'kept')", True, False)


@promise("containers.killed")
async def test_of_a_killed_server_the_files_are_there_and_lost_variables_are_told(
    here: Hand, ways: Choice, tmp_path: Path
) -> None:
    id = await here.new()
    await here.run(id, "x = 1\nopen('/mnt/data/f', 'w').write('kept')")
    await here.store.workers.leave()  # as when it is found dead; its sandbox and its lease are as they were
    async with hand("sqlite", tmp_path, ways) as other:
        again = await other.run(id, "open('/mnt/data/f').read(), 'x' in globals()")
        assert (again.said, again.fresh, again.lost) == ("('kept', False)", True, True)
        assert (await other.run(id, "1")).lost is False


@promise("containers.killed")
async def test_a_process_that_was_thought_dead_writes_nothing_more(here: Hand, ways: Choice, tmp_path: Path) -> None:
    id = await here.new()
    await here.run(id, "import time\nopen('/mnt/data/f', 'w').write('kept')")
    late = asyncio.create_task(here.run(id, "open('/mnt/data/f', 'w').write('late')\ntime.sleep(0.4)"))
    await asyncio.sleep(0.1)
    await here.store.workers.leave()
    async with hand("sqlite", tmp_path, ways) as other:
        assert (await other.run(id, "open('/mnt/data/f').read()")).said == "'kept'"
        with pytest.raises(ToolFailed):
            await late
        assert await other.files(id) == {"f": b"kept"}


@promise("containers.handover")
@pytest.mark.parametrize("store", ["postgresql"])
async def test_another_process_is_handed_the_container_with_its_variables(
    store: str, ways: Choice, tmp_path: Path
) -> None:
    async with hand(store, tmp_path, ways) as a, hand(store, tmp_path, ways) as b:
        id = await a.new()
        await a.run(id, "x = 1")
        for asked in (b, a, b):
            ran = await asked.run(id, "x += 1\nprint(x)")
            assert (ran.fresh, ran.lost) == (True, False)
        assert ran.said == "4"
        slow = asyncio.create_task(b.run(id, "import time\ntime.sleep(0.5)\nx += 1"))
        await asyncio.sleep(0.1)
        assert (await a.run(id, "x")).said == "5", "it waited until the call was over"
        await slow


@promise("containers.deleted")
async def test_a_deleted_container_ends_at_once_also_elsewhere(ways: Choice, tmp_path: Path) -> None:
    async with hand("postgresql", tmp_path, ways) as a, hand("postgresql", tmp_path, ways) as b:
        id = await a.new()
        await a.run(id, "open('/mnt/data/f', 'w').write('x')")
        running = asyncio.create_task(a.run(id, "import time\ntime.sleep(9)"))
        await asyncio.sleep(0.2)
        assert await b.containers.delete(OWNER, id)
        ran = await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 5)
        assert isinstance(ran[0], ToolFailed) or "died" in ran[0].said  # type: ignore[union-attr]
        assert await a.store.containers.find(OWNER, id) is None
        assert not list((tmp_path / "files").rglob("cntr-*"))
        with pytest.raises(ToolFailed):
            await a.run(id, "1")


@promise("containers.limit")
async def test_the_sandbox_that_is_idle_longest_gives_way(ways: Choice, tmp_path: Path) -> None:
    async with hand("sqlite", tmp_path, ways, sandboxes=2, wait_s=0.5) as here:
        ids = [await here.new() for _ in range(3)]
        for number, id in enumerate(ids):
            await here.run(id, f"x = {number}")
        assert [(await here.run(ids[number], "x")).fresh for number in (2, 0)] == [False, True]
        assert (await here.run(ids[1], "x")).said == "1"
        slow = [asyncio.create_task(here.run(ids[n], "import time\ntime.sleep(0.9)")) for n in (0, 1)]
        await asyncio.sleep(0.4)
        with pytest.raises(ToolFailed, match="busy"):
            await here.run(ids[2], "1")
        await asyncio.gather(*slow)


@promise("containers.cancelled")
async def test_what_a_cancelled_call_has_made_is_kept(here: Hand) -> None:
    id = await here.new()
    await here.run(id, "import time")
    running = asyncio.create_task(here.run(id, "open('/mnt/data/f', 'w').write('made')\ntime.sleep(9)"))
    await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await here.run(id, "'still here'")).said == "'still here'", "it waits until the other is over"
    assert await here.files(id) == {"f": b"made"}


@promise("containers.full")
async def test_what_does_not_fit_is_not_kept_and_the_model_is_told(ways: Choice, tmp_path: Path) -> None:
    async with hand("sqlite", tmp_path, ways, quota_bytes=1 << 20) as here:
        id = await here.new()
        code = "for n in range(4): _ = open(f'/mnt/data/n{n}', 'wb').write(b'y' * (400 << 10))"
        ran = await here.run(id, code)
        assert (len(ran.files), len(ran.notes)) == (2, 2)
        assert all("/mnt/data/n" in note and "delete some" in note for note in ran.notes)
        kept = await here.files(id)
        assert len(kept) == 2
        there = await here.run(
            id, f"import os\nos.remove('/mnt/data/{next(iter(kept))}')\nlen(os.listdir('/mnt/data'))"
        )
        assert there.said == "3", "the sandbox has them all"


@promise("containers.killed")
async def test_of_two_leases_the_newer_one_counts(here: Hand) -> None:
    id = await here.new()
    await here.run(id, "1")
    older, newer = [await here.store.containers.take(id) for _ in range(2)]
    assert older and newer
    with pytest.raises(LeaseLost):
        await here.shelf.keep(older, [Fresh("/mnt/data/a", "assistant", pieces(b"a"))])
    with pytest.raises(LeaseLost):
        await here.shelf.save(older, b"variables")
    await here.shelf.keep(newer, [Fresh("/mnt/data/b", "assistant", pieces(b"b"))])
    assert await here.files(id) == {"b": b"b"}


@promise("containers.poisoned")
async def test_saved_variables_that_do_harm_cost_the_variables(here: Hand, ways: Choice, tmp_path: Path) -> None:
    id = await here.new()
    await here.run(id, "open('/mnt/data/f', 'w').write('kept')")
    lease = await here.store.containers.take(id)
    assert lease
    deadly = b"cos\n_exit\n(I3\ntR."  # a pickle that ends who reads it
    await here.shelf.save(lease, deadly)
    await here.store.containers.release(id, lease.epoch)
    ran = await here.run(id, "open('/mnt/data/f').read()")
    assert (ran.said, ran.fresh) == ("'kept'", True)


@promise("containers.whole")
async def test_no_bytes_are_left_of_what_was_never_whole(here: Hand, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise OSError("the line is dead")

    id = await here.new()
    await here.run(id, "1")
    lease = await here.store.containers.take(id)
    assert lease
    with pytest.raises(OSError, match="dead"):
        await here.shelf.keep(
            lease, [Fresh("/mnt/data/a", "assistant", pieces(b"a")), Fresh("/mnt/data/b", "assistant", broken())]
        )
    assert await here.files(id) == {}
    assert await here.shelf.tidy() == 0, "it may still be written"
    await here.shelf.tidy(0)
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


async def gone(here: Hand, id: str) -> None:
    """Wait until nobody holds the container."""
    async with asyncio.timeout(10):
        while id in await here.store.containers.held():
            await asyncio.sleep(0.05)
