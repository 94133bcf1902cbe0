"""PostgreSQL goes away, comes back, comes back as another, or is busy."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from checkpoints import open_postgres
from checkpoints.database import Rows
from checkpoints.postgres import PostgresDatabase
from graph.errors import StoreUnavailable
from graph.hold import Batch
from graph.ids import new_id
from tests import postgres
from tests.contract import promise
from tests.postgres import run
from tests.store_graph import Caller
from tests.test_store_together import held

#: Seconds in which whoever asks has an answer, whatever it is.
PROMPT_S = 7.0


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres]:
    """A server of these tests' own, to be stopped."""
    ours = postgres.Postgres()
    yield ours
    ours.start()
    ours.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return postgres.url_of(tmp_path)


@asynccontextmanager
async def database(url: str, pool: int = 4) -> AsyncIterator[PostgresDatabase]:
    ours = PostgresDatabase(url, pool, lambda: None)
    try:
        yield ours
    finally:
        await asyncio.to_thread(ours.close)


async def prompt(asked: Awaitable[Any]) -> Any:
    """The answer, which is there soon; or the refusal, which says when to come again."""
    try:
        return await asyncio.wait_for(asked, PROMPT_S)
    except StoreUnavailable as refusal:
        return refusal if refusal.retry_after_s else None


async def eventually(ask: Any, limit_s: float = 15.0) -> Any:
    """The answer of a store that is on its way back."""
    async with asyncio.timeout(limit_s):
        while isinstance(answer := await prompt(ask()), StoreUnavailable):
            await asyncio.sleep(0.1)
    return answer


# ---------------------------------------------------------------- away and back


@promise("store.restart")
async def test_restart_under_use_loses_nothing_that_was_acknowledged(server: postgres.Postgres) -> None:
    async with open_postgres(postgres.made(server.url, "used"), pool=4) as store:
        caller, acknowledged, over = Caller(store), list[Any](), asyncio.Event()

        async def use() -> None:
            last = None
            while not over.is_set():
                last = await prompt(caller.ask("Question", last if not isinstance(last, StoreUnavailable) else None))
                if not isinstance(last, StoreUnavailable):
                    acknowledged.append(last)

        async with asyncio.TaskGroup() as group:
            users = [group.create_task(use()) for _ in range(4)]
            for _ in range(2):
                await asyncio.sleep(1)
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
                await eventually(lambda: caller.ask("Back"))
            before = len(acknowledged)
            await asyncio.sleep(1)
            over.set()
        assert all(user.done() for user in users)
        assert len(acknowledged) > before, "nobody came back"
        for stored in acknowledged:
            assert await caller.stored(stored.record["id"]) == stored
            assert set(await caller.questions(stored)) == {"Question"}


@promise("store.restart")
async def test_server_that_is_away_is_a_prompt_refusal_until_it_is_back(server: postgres.Postgres) -> None:
    async with open_postgres(postgres.made(server.url, "away"), pool=3) as store:
        caller = Caller(store)
        stored = await caller.ask("Before")
        await asyncio.to_thread(server.stop)
        try:
            for _ in range(2):
                began = time.monotonic()
                asked = [store.responses.find("local", "resp_x") for _ in range(20)]
                written = [store.workers.beat() for _ in range(20)]
                answers = await asyncio.gather(*map(prompt, [*asked, *written]))
                assert all(isinstance(answer, StoreUnavailable) for answer in answers)
                assert time.monotonic() - began < PROMPT_S
            with pytest.raises(StoreUnavailable, match="^The database cannot be reached: .*[^\n]*$"):
                async with open_postgres(server.url):
                    pass
        finally:
            await asyncio.to_thread(server.start)
        assert await eventually(lambda: store.responses.find("local", stored.record["id"])) == stored
        await eventually(store.workers.beat, 5)


@promise("store.failover")
async def test_server_that_comes_back_knowing_less_is_believed(server: postgres.Postgres) -> None:
    url = postgres.made(server.url, "fallen")
    async with open_postgres(url) as store:
        caller = Caller(store)
        head = (await caller.chain(2))[-1]
        await asyncio.to_thread(server.back_up)
        lost = await eventually(lambda: caller.ask("Lost", head))
        assert (await caller.questions(lost))[-1] == "Lost"
        await asyncio.to_thread(server.fall_back)
        async with open_postgres(url) as other:
            again = await Caller(other).ask("Again", head)
        assert await eventually(lambda: store.responses.find("local", lost.record["id"])) is None
        assert again.log == lost.log
        assert await caller.questions(again) == ["Question 0", "Question 1", "Again"]


@promise("store.restart", "store.follow")
async def test_wake_ups_are_heard_again_after_a_restart(server: postgres.Postgres) -> None:
    url = postgres.made(server.url, "heard")
    async with open_postgres(url) as writes, open_postgres(url) as reads:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        hold = held(Caller(writes), new_id("resp_"))
        await eventually(lambda: writes.runs.append(hold, Batch(0, [b"data: 0\n\n"])))
        async with asyncio.timeout(10):
            while not run(url, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"):
                await asyncio.sleep(0.1)
        number = 1
        async with asyncio.timeout(4):  # looking alone would take eight seconds
            async for _ in reads.events.follow(hold.lease.response_id):
                if number == 9:
                    break
                await asyncio.sleep(0.01)
                await writes.runs.append(hold, Batch(number, [b"data: %d\n\n" % number]))
                number += 1


@promise("store.failover")
async def test_primary_that_became_a_standby_is_left_for_the_new_one(url: str) -> None:
    run(url, "CREATE TABLE kept (number INTEGER)")
    name = run(url, "SELECT current_database()")[0][0]
    leave = (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )

    def keep(rows: Rows) -> int:
        return rows.execute("INSERT INTO kept VALUES (?)", (1,)).rowcount

    async with database(url) as ours:
        assert await asyncio.wrap_future(ours.write(keep)) == 1
        run(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on", leave)
        assert isinstance(await prompt(asyncio.wrap_future(ours.write(keep))), StoreUnavailable)
        assert await asyncio.wrap_future(ours.read(lambda rows: rows.execute("SELECT * FROM kept").fetchall())) == [
            (1,)
        ]
        run(
            url, "SET default_transaction_read_only = off", f"ALTER DATABASE {name} RESET default_transaction_read_only"
        )
        assert await eventually(lambda: asyncio.wrap_future(ours.write(keep))) == 1


@promise("store.unknown")
async def test_commit_that_is_not_heard_of_is_not_made_again(url: str) -> None:
    run(
        url,
        "CREATE TABLE kept (number INTEGER)",
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()",
    )
    attempts = list[int]()

    def keep(rows: Rows) -> None:
        attempts.append(rows.execute("INSERT INTO kept VALUES (?)", (len(attempts),)).rowcount)

    async with database(url) as ours:
        with pytest.raises(StoreUnavailable, match="not known"):
            await asyncio.wrap_future(ours.write(keep))
        assert attempts == [1]
        assert await prompt(asyncio.wrap_future(ours.read(lambda rows: rows.execute("SELECT 1").fetchone()))) == (1,)


async def test_connection_that_breaks_before_the_commit_is_not_noticed(url: str) -> None:
    run(url, "CREATE TABLE kept (number INTEGER)")
    attempts = list[Any]()

    def keep(rows: Rows) -> None:
        rows.execute("INSERT INTO kept VALUES (?)", (1,))
        attempts.append(rows.execute("SELECT pg_backend_pid()").fetchone())
        if len(attempts) == 1:
            run(url, f"SELECT pg_terminate_backend({attempts[0][0]}, 1000)")
            rows.execute("SELECT 1")

    async with database(url) as ours:
        await asyncio.wrap_future(ours.write(keep))
    assert len(attempts) == 2
    assert run(url, "SELECT number FROM kept") == [(1,)]


# ---------------------------------------------------------------- busy


@promise("store.busy")
async def test_who_gets_no_connection_in_time_is_refused(url: str) -> None:
    async with database(url, pool=1) as ours:
        long = asyncio.wrap_future(ours.write(lambda rows: rows.execute("SELECT pg_sleep(6)").fetchone()))
        await asyncio.sleep(0.2)
        reads = [asyncio.wrap_future(ours.read(lambda rows: rows.execute("SELECT 1").fetchone())) for _ in range(8)]
        writes = [asyncio.wrap_future(ours.write(lambda rows: rows.execute("SELECT 1").fetchone())) for _ in range(8)]
        answers = await asyncio.gather(*map(prompt, [*reads, *writes]))
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        assert not long.done()
        await long
        assert await asyncio.wrap_future(ours.write(lambda rows: rows.execute("SELECT 1").fetchone())) == (1,)


@promise("store.busy")
async def test_process_stopped_in_a_transaction_holds_nobody_up_for_long(url: str) -> None:
    async with open_postgres(url) as store, database(url) as stopped:
        hold = held(Caller(store), new_id("resp_"))
        await store.runs.append(hold, Batch(0, [b"data: 0\n\n"]))
        parent = await Caller(store).ask("Parent")

        def stop(rows: Rows) -> None:
            rows.execute("UPDATE run SET epoch = epoch")
            time.sleep(PROMPT_S)  # the server ends this session long before

        late = asyncio.wrap_future(stopped.write(stop))
        await asyncio.sleep(0.3)
        await asyncio.gather(
            store.runs.append(hold, Batch(1, [b"data: 1\n\n"])),
            store.responses.delete("local", parent.record["id"]),
        )
        assert not late.done()
        with pytest.raises(StoreUnavailable):
            await late


async def test_transactions_in_each_others_way_are_all_done(url: str) -> None:
    run(url, "CREATE TABLE kept (id INTEGER PRIMARY KEY, n INTEGER)", "INSERT INTO kept VALUES (1, 0), (2, 0)")

    def both(first: int, second: int, rows: Rows) -> None:
        rows.execute("UPDATE kept SET n = n + 1 WHERE id = ?", (first,))
        time.sleep(0.05)
        rows.execute("UPDATE kept SET n = n + 1 WHERE id = ?", (second,))

    async with database(url) as a, database(url) as b:
        works = [a.write(lambda rows: both(1, 2, rows)), b.write(lambda rows: both(2, 1, rows))]
        await asyncio.gather(*map(asyncio.wrap_future, works))
    assert run(url, "SELECT n FROM kept") == [(2,), (2,)]
