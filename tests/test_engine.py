"""The durable queue: what is submitted is made, once, by some process that lives; and nobody waits behind the busy."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from checkpoints.engine import Capacity, DurableEngine, Notice
from tests.contract import promise
from tests.postgres import url_of
from tests.process import ROOT

LIMIT_S = 20.0


class Bench:
    """Work whose every piece can be held back."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.done: list[str] = []
        self.told: list[Notice] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    async def make(self, response_id: str, owner: str) -> None:
        self.began.append(response_id)
        for key in ("all", owner):
            self._now[key] += 1
            self.most[key] = max(self.most[key], self._now[key])
        try:
            if response_id.startswith("resp_bug"):
                raise ValueError("a bug")
            await self.go_on.wait()
            await asyncio.sleep(0.005)
        finally:
            self._now.subtract(("all", owner))
        self.done.append(response_id)

    async def tell(self, notice: Notice) -> None:
        self.told.append(notice)


Open = Callable[..., AbstractAsyncContextManager[DurableEngine]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/engine.db"
    return url_of(tmp_path / "engine")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.go_on.set()


@pytest.fixture
def opened(url: str, bench: Bench) -> Open:
    """A process at the queue; there is one at a time."""

    @asynccontextmanager
    async def run(id: str = "one", capacity: Capacity | None = None) -> AsyncIterator[DurableEngine]:
        engine = DurableEngine(url, id, capacity or Capacity())
        starting = asyncio.create_task(engine.start(bench))
        try:
            yield engine
        finally:
            await starting
            await engine.close()

    return run


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not claim():
            await asyncio.sleep(0.01)


@promise("queue.once")
async def test_what_is_submitted_twice_is_made_once(opened: Open, bench: Bench) -> None:
    async with opened() as engine:
        for _ in range(2):
            await engine.submit("resp_1", "ann", 0)
        await until(lambda: bench.done == ["resp_1"])
        await engine.submit("resp_1", "ann", 0)
        await engine.submit("resp_2", "ann", 0)
        await until(lambda: "resp_2" in bench.done)
    assert bench.began == ["resp_1", "resp_2"]


@promise("queue.again")
async def test_what_was_handed_back_is_submitted_anew(opened: Open, bench: Bench) -> None:
    async with opened() as engine:
        await engine.submit("resp_1", "ann", 0)
        await until(lambda: len(bench.done) == 1)
        assert await engine.resubmit([("resp_1", "ann", 2), ("resp_1", "ann", 2)]) == 1
        await until(lambda: bench.done == ["resp_1", "resp_1"])


@promise("queue.limits")
async def test_a_process_takes_on_no_more_than_it_may(opened: Open, bench: Bench) -> None:
    bench.go_on.clear()
    async with opened(capacity=Capacity(running=5, per_owner=3)) as engine:
        for at in range(12):
            await engine.submit(f"resp_{at}", "ann" if at % 2 else "bob", 0)
        await until(lambda: len(bench.began) == 5)
        await asyncio.sleep(0.5)  # some looks
        bench.go_on.set()
        await until(lambda: len(bench.done) == 12)
    assert bench.most["all"] == 5
    assert max(bench.most["ann"], bench.most["bob"]) == 3


@promise("queue.fair")
async def test_who_asks_once_does_not_wait_behind_who_asks_much(opened: Open, bench: Bench) -> None:
    bench.go_on.clear()
    async with opened(capacity=Capacity(running=8, per_owner=4)) as engine:
        for at in range(60):
            await engine.submit(f"resp_busy{at}", "ann", 0)
        await engine.submit("resp_other", "bob", 0)
        await until(lambda: "resp_other" in bench.began)
        await until(lambda: len(bench.began) == 5)
        depth = await engine.depth()
        assert (depth.queued, depth.running) == (56, 5)
        assert 0 <= depth.oldest_s < 60


@promise("queue.recovered")
async def test_a_killed_process_has_its_work_taken_over_once(opened: Open, bench: Bench, url: str) -> None:
    ids = [f"resp_{at}" for at in range(3)]
    async with opened("submits") as engine:
        engine.drain()
        for id in ids:
            await engine.submit(id, "ann", 0)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.queue_process", url, "dead"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        lines = [await asyncio.to_thread(other.stdout.readline) for _ in ids]
        assert sorted(line.strip() for line in lines) == ids
        async with opened("heir") as engine:
            assert await engine.recover(["dead", "heir"]) == []
            other.kill()
            assert await engine.recover(["heir"]) == ["dead"]
            assert await engine.recover(["heir"]) == []
            await until(lambda: len(bench.done) == 3)
            await engine.submit("resp_last", "ann", 0)
            await until(lambda: "resp_last" in bench.done)
    assert sorted(bench.began) == [*ids, "resp_last"]


@promise("queue.given_up")
async def test_what_never_comes_to_an_end_is_given_up(opened: Open, bench: Bench) -> None:
    bench.go_on.clear()
    async with opened(capacity=Capacity(running=30, per_owner=30)) as engine:
        await engine.submit("resp_poison", "ann", 0)
        while not (lost := await engine.lost()):
            await engine.recover([])
            await asyncio.sleep(0.05)
            assert len(bench.began) < 12
        assert [(one.response_id, one.owner) for one in lost] == [("resp_poison", "ann")]
        assert 1 < len(bench.began) <= 9  # one may be put back before it has begun
        await engine.forget(lost[0])
        assert await engine.lost() == []


@promise("queue.given_up")
async def test_what_fails_on_a_bug_is_known(opened: Open, bench: Bench) -> None:
    async with opened() as engine:
        await engine.submit("resp_bug", "ann", 4)
        async with asyncio.timeout(LIMIT_S):
            while not (lost := await engine.lost()):
                await asyncio.sleep(0.05)
    assert lost == [("resp_bug-4", "resp_bug", "ann")]


@promise("queue.drained")
async def test_who_stops_takes_no_more_and_leaves_what_it_has(opened: Open, bench: Bench) -> None:
    bench.go_on.clear()
    async with opened("first") as engine:
        await engine.submit("resp_1", "ann", 0)
        await until(lambda: bench.began == ["resp_1"])
        engine.drain()
        await engine.submit("resp_2", "ann", 0)
        await asyncio.sleep(0.6)  # two looks
    assert (bench.began, bench.done) == (["resp_1"], [])
    bench.go_on.set()
    async with opened("second") as engine:
        await engine.recover(["second"])
        await until(lambda: sorted(bench.done) == ["resp_1", "resp_2"])


@promise("queue.tidied")
async def test_what_has_ended_is_deleted_and_what_is_kept_is_json(opened: Open, bench: Bench, url: str) -> None:
    names = {"sqlite": "{}", "postgresql": "dbos.{}"}
    tables = [names[url.partition(":")[0]].format(f"workflow_{name}") for name in ("status", "input", "output")]
    async with opened() as engine:
        await engine.submit("resp_1", "ann", 0)
        await until(lambda: len(bench.done) == 1)
        async with asyncio.timeout(LIMIT_S):
            while (await engine.depth()).running:
                await asyncio.sleep(0.02)
        database = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with database.connect() as rows:
            inputs = rows.execute(sa.text(f"SELECT inputs FROM {tables[1]}")).scalar_one()
        assert '["resp_1","ann"]' in inputs.replace(" ", "")
        assert await engine.tidy(0) == 1
        with database.connect() as rows:
            assert [rows.execute(sa.text(f"SELECT COUNT(*) FROM {table}")).scalar() for table in tables] == [0, 0, 0]
        database.dispose()


@promise("queue.told")
async def test_a_notice_is_told_once_and_again_after_a_while(opened: Open, bench: Bench) -> None:
    notice = Notice("wh_1", "http://example.com", '{"a": "ü"}')
    async with opened(capacity=Capacity(telling=True)) as engine:
        for _ in range(2):
            await engine.tell(notice)
        await engine.tell(Notice("wh_1", "http://example.org", "{}"))
        await until(lambda: len(bench.told) == 2)
        at = asyncio.get_running_loop().time()
        await engine.tell(Notice("wh_1", "http://example.com", '{"a": "ü"}', 2), 2.5)
        await until(lambda: len(bench.told) == 3)
        assert asyncio.get_running_loop().time() - at >= 2.5
    assert notice in bench.told and bench.told[-1].attempt == 2
