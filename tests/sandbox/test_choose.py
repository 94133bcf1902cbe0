"""Which way to have sandboxes is taken."""

import asyncio

import pytest

from nodes.sandbox.choose import Choice, Wanted, chosen
from nodes.sandbox.port import Broken, Interpreter, Network, Room, Sandbox
from tests.contract import promise


class Way:
    """One that is open or closed, and counts how often it was asked."""

    def __init__(self, name: str, problem: str | None = None) -> None:
        self.name = name
        self.reason = problem
        self.asked = 0
        self.opened = 0

    async def problem(self) -> str | None:
        self.asked += 1
        await asyncio.sleep(0)
        return self.reason

    async def open(self, room: Room) -> Sandbox:
        self.opened += 1
        raise Broken(f"{self.name} was asked to open")

    async def close(self) -> None: ...


@promise("ways.choice")
async def test_the_first_way_that_is_open_is_taken_and_kept() -> None:
    ways = [Way("bwrap", "no bubblewrap here"), Way("landlock"), Way("docker")]
    choice = Choice(ways)
    assert [way.asked for way in ways] == [0, 0, 0]  # a start is not made slower
    told = await asyncio.gather(*(choice.problem() for _ in range(5)))
    assert told == [None] * 5
    assert (choice.name, [way.asked for way in ways]) == ("landlock", [1, 1, 0])
    with pytest.raises(Broken, match="landlock was asked to open"):
        await choice.open(Room())


@promise("ways.choice")
async def test_when_no_way_is_open_each_says_why() -> None:
    choice = Choice([Way("bwrap", "no bubblewrap here."), Way("landlock", "an old kernel.")])
    reasons = "bwrap: no bubblewrap here. ; landlock: an old kernel."
    assert await choice.problem() == f"No sandbox can be opened on this server. {reasons}"
    with pytest.raises(Broken, match="an old kernel"):
        await choice.open(Room())


@promise("ways.choice")
async def test_a_network_is_refused_where_it_could_not_be_held() -> None:
    choice, networked = Choice([Way("landlock")]), Choice([Way("bwrap")])
    room = Room(network=Network(["example.com"]))
    assert "cannot be given a network" in (await choice.refusal(room) or "")
    assert await choice.refusal(Room()) is None
    assert await networked.refusal(room) is None
    with pytest.raises(Broken, match="cannot be given a network"):
        await choice.open(room)


@promise("ways.choice")
async def test_the_operator_may_turn_it_off() -> None:
    choice = chosen(Wanted("off", Interpreter("python3", [])))
    assert "turned off" in (await choice.problem() or "")
