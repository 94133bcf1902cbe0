"""Sandboxes are ready when they are wanted, and many can be had at once."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nodes.sandbox import interpreter
from nodes.sandbox.choose import Choice
from nodes.sandbox.install import NotInstalled, install
from nodes.sandbox.pool import Pool
from nodes.sandbox.port import Broken, Room
from tests.contract import promise
from tests.sandbox.running import PREPARED, Hand, needs_bwrap, needs_packages, ways

pytestmark = needs_bwrap


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    one = Pool(Choice([ways(limit=3)]), Room(), 1)
    yield one
    await one.close()


async def opened_s(pool: Pool, room: Room) -> float:
    began = time.perf_counter()
    await pool.open(room)
    return time.perf_counter() - began


@promise("running.pool")
async def test_one_is_kept_ready_and_replaced(pool: Pool) -> None:
    assert pool.ready == 0
    pool.fill()
    await pool.filled()
    assert await opened_s(pool, Room()) < 0.05  # none is begun
    await pool.filled()
    other = Hand(await pool.open(Room(memory_bytes=2 << 30)))
    assert pool.ready == 1
    third = Hand(await pool.open(Room(memory_bytes=3 << 30)))  # there is no room beside the one that is ready
    assert await other.logs("1") == await third.logs("1") == "1\n"
    with pytest.raises(Broken, match="3 sandboxes are open"):
        await pool.open(Room())
    await other.sandbox.close()
    assert await Hand(await pool.open(Room())).logs("2") == "2\n"


@promise("running.pool")
async def test_one_that_died_while_it_waited_is_not_handed_out() -> None:
    way = ways()
    pool = Pool(Choice([way]), Room(), 1)
    pool.fill()
    await pool.filled()
    await way.close()
    assert await Hand(await pool.open(Room())).logs("1") == "1\n"
    await pool.close()
    assert pool.ready == 0


@promise("running.pool")
async def test_pool_where_no_sandbox_works_says_why() -> None:
    pool = Pool(Choice([]), Room(), 1)
    pool.fill()
    with pytest.raises(Broken, match="turned off"):
        await pool.open(Room())
    assert "turned off" in (await pool.refusal(Room()) or "")
    await pool.close()


@promise("running.many")
async def test_fifty_at_once_work_beside_one_another() -> None:
    way = ways(limit=50)
    try:
        hands: list[Hand] = []
        for _ in range(10):
            hands += [Hand(one) for one in await asyncio.gather(*(way.open(Room()) for _ in range(5)))]
        said = await asyncio.gather(*(hand.logs(f"x = {n}\nx") for n, hand in enumerate(hands)))
        assert said == [f"{n}\n" for n in range(50)]
        with pytest.raises(Broken, match="50 sandboxes are open, and no more may be"):
            await way.open(Room())
        await hands[0].sandbox.close()
        await Hand(await way.open(Room())).logs("1")
    finally:
        await way.close()


@needs_packages
@promise("running.packages")
async def test_prepared_python_has_its_packages() -> None:
    found = interpreter.find(None, PREPARED)
    names = [name.partition(" ")[0] for name in interpreter.packages(found)]
    wanted = ["cloudpickle", "matplotlib", "numpy", "openpyxl", "pandas", "pillow", "pypdf", "python-dateutil", "scipy"]
    assert [name for name in wanted if name not in names] == []
    assert "pip" not in names
    way = ways(found)
    hand = Hand(await way.open(Room()))
    assert (
        await hand.logs("import numpy; numpy.__version__ + ''")
        == f"'{dict(n.split() for n in interpreter.packages(found))['numpy']}'\n"
    )
    assert "Read-only file system" in await hand.logs(f"open({found.executable + 'x'!r}, 'w')")
    await way.close()


@promise("running.packages")
def test_python_is_the_one_that_was_named_or_prepared_or_our_own(tmp_path: Path) -> None:
    assert interpreter.find(None, tmp_path).executable == str(interpreter.base())
    assert interpreter.packages(interpreter.find(None, tmp_path)) == []
    for name in ("python-older", "python-newer", ".making-x"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").touch()
    os.utime(tmp_path / "python-older" / "bin", (1, 1))
    assert interpreter.find(None, tmp_path).executable == str(tmp_path / "python-newer" / "bin" / "python")
    named = interpreter.find(Path(sys.executable), tmp_path)
    assert named.executable == sys.executable
    assert set(named.needs) == {sys.prefix, str(Path(sys.base_prefix))}


@promise("running.packages")
def test_install_that_fails_leaves_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(NotInstalled):
        install(tmp_path, said.append, tmp_path / "no-python")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@needs_packages
@promise("running.packages")
def test_install_again_does_nothing_and_check_says_what_works() -> None:
    program = Path(sys.executable).with_name("graphnexus")
    where = ["--data-dir", str(PREPARED.parent)]
    again = subprocess.run([program, "sandbox", "install", *where], capture_output=True, text=True, timeout=60)
    assert "is there already." in again.stdout
    check = subprocess.run([program, "sandbox", "check", *where], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stdout + check.stderr
    assert "Sandboxes are opened by bwrap." in check.stdout
    assert "Plots: works" in check.stdout and "numpy" in check.stdout
