"""The browsers of this process: one Chromium an owner, one isolated context a conversation. Fits `port.Browsers`."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from graph.errors import ToolFailed
from graph.ids import new_id
from graph.state import Entry
from nodes.browser.chromium.choosing import Sandbox, kind_of
from nodes.browser.chromium.driver import Driver
from nodes.browser.chromium.running import Chromium, Kind
from nodes.browser.port import ID_FIELD, Choice
from nodes.browser.session import Limits, Session
from nodes.sandbox.port import Broken
from nodes.sandbox.proxy import Exits

_ID = re.compile(r"brws_[0-9a-f]{48}")
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator lets browsers have."""

    chromium: Path | None = None
    sandbox: Sandbox = "auto"
    memory_bytes: int = 2 << 30
    #: Of conversations, open at once.
    limit: int = 16
    idle_s: float = 1200.0
    #: Seconds a step waits for its turn, or for a browser to be free.
    wait_s: float = 60.0
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True, eq=False)
class _Home:
    """An owner's Chromium, while it runs."""

    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    chromium: Chromium | None = None


@dataclass(slots=True, eq=False)
class _Seat:
    """A conversation's place: whose turn it is, and its browser while that is open."""

    owner: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    session: Session | None = None
    #: The model knows of a session that is not there any more.
    lost: bool = False
    callers: int = 0
    used_at: float = 0.0


class Browsers:
    def __init__(self, rules: Rules, exits: Exits) -> None:
        self._rules = rules
        self._exits = exits
        self._driver = Driver()
        self._homes: dict[str, _Home] = {}
        self._seats: dict[tuple[str, str], _Seat] = {}
        self._kind: Kind | None = None
        self._watching: asyncio.Task[None] | None = None
        self._freed = asyncio.Event()

    # ------------------------------------------------------------ what there can be

    async def problem(self) -> str | None:
        try:
            await self._known()
        except Broken as broken:
            return str(broken)
        return None

    async def _known(self) -> Kind:
        """How Chromium is run here. What was missing may have come since. Raises `Broken`."""
        if self._kind is None:
            rules = self._rules
            self._kind = await kind_of(rules.chromium, rules.sandbox, rules.memory_bytes)
        return self._kind

    def choose(self, entries: Sequence[Entry], beside: str | None = None) -> Choice:
        for entry in reversed(entries):
            id = entry["item"].get(ID_FIELD)
            if isinstance(id, str) and _ID.fullmatch(id):
                return Choice(id, known=True)
        return Choice(beside or new_id("brws_"))

    # ------------------------------------------------------------ turns

    @asynccontextmanager
    async def entered(self, owner: str, choice: Choice) -> AsyncGenerator[Session]:
        seat = self._seats.setdefault((owner, choice.id), _Seat(owner, lost=choice.known))
        seat.callers += 1
        try:
            async with self._turn(seat):
                session = await self._session(seat)
                try:
                    yield session
                finally:
                    session.fresh = False
        finally:
            seat.callers -= 1
            seat.used_at = time.monotonic()
            self._freed.set()

    @asynccontextmanager
    async def _turn(self, seat: _Seat) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._rules.wait_s):
                await seat.turn.acquire()
        except TimeoutError as error:
            raise ToolFailed("The browser is busy with other steps; try again later.") from error
        try:
            yield
        finally:
            seat.turn.release()

    async def _session(self, seat: _Seat) -> Session:
        if seat.session and seat.session.alive:
            return seat.session
        await self._leave(seat)
        await self._room()
        seat.session, seat.lost = await self._opened(seat), False
        self._watching = self._watching or asyncio.create_task(self._watch(), name="browser-watch")
        return seat.session

    async def _opened(self, seat: _Seat) -> Session:
        """In a Chromium that was started anew where the one that ran is dead."""
        for last in (False, True):
            try:
                chromium = await self._chromium(seat.owner)
                return Session(chromium, await chromium.context(), self._rules.limits, lost=seat.lost)
            except Broken as broken:
                if last:
                    raise ToolFailed(f"There is no browser: {broken}") from broken
        raise AssertionError

    async def _chromium(self, owner: str) -> Chromium:
        """Raises `Broken`."""
        home = self._homes.setdefault(owner, _Home())
        async with home.starting:
            if home.chromium and home.chromium.alive:
                return home.chromium
            if home.chromium:
                await home.chromium.close()
            home.chromium = None
            home.chromium = await Chromium.start(await self._known(), self._driver, self._exits)
            return home.chromium

    async def _room(self) -> None:
        """Wait until one more may be open: the one that has been idle longest gives way."""
        try:
            async with asyncio.timeout(self._rules.wait_s):
                while sum(seat.session is not None for seat in self._seats.values()) >= self._rules.limit:
                    self._freed.clear()
                    idle = [seat for seat in self._seats.values() if seat.session and not seat.callers]
                    if idle:
                        await self._leave(min(idle, key=lambda seat: seat.used_at))
                    else:
                        await self._freed.wait()
        except TimeoutError as error:
            raise ToolFailed("All browsers of this server are busy; try again later.") from error

    # ------------------------------------------------------------ looking after them

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_S, self._rules.idle_s))
            now = time.monotonic()
            for key, seat in list(self._seats.items()):
                if not seat.callers and now - seat.used_at > self._rules.idle_s:
                    await self._leave(seat)
                if not seat.callers and seat.session is None:
                    self._seats.pop(key, None)
            for owner, home in list(self._homes.items()):
                if not home.starting.locked() and not any(seat.owner == owner for seat in self._seats.values()):
                    del self._homes[owner]
                    if home.chromium:
                        await home.chromium.close()

    async def _leave(self, seat: _Seat) -> None:
        session, seat.session = seat.session, None
        if session:
            seat.lost = True
            await session.close()

    async def close(self) -> None:
        if self._watching:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        running = [home.chromium.close() for home in self._homes.values() if home.chromium]
        await asyncio.gather(*running, return_exceptions=True)
        await self._driver.close()
