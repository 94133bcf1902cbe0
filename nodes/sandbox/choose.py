"""Which way to have sandboxes is taken here: the first that is open, found out when it is first asked for."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nodes.reach import Reach
from nodes.sandbox.bwrap import Bwrap
from nodes.sandbox.docker import PYTHON, Docker
from nodes.sandbox.e2b import E2b
from nodes.sandbox.landlock import Landlock
from nodes.sandbox.local import LocalSandboxes
from nodes.sandbox.mapped import MappedSandboxes
from nodes.sandbox.port import Broken, Interpreter, Room, Sandbox, Sandboxes
from nodes.sandbox.proxy import Exits

logger = logging.getLogger(__name__)
#: How long "none works" is believed; what an operator mends is seen without a restart.
_BELIEVED_S = 30.0
#: For one way to say whether it is open.
_ASKED_S = 30.0
#: Their rooms may have a network.
_NETWORKED = frozenset({"bwrap", "docker"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator has said of sandboxes."""

    #: `auto`: the first that is open.
    way: Literal["auto", "bwrap", "landlock", "docker", "e2b", "off"]
    interpreter: Interpreter
    #: At once.
    limit: int = 64
    #: Whether allowed domains may lead to loopback and private addresses.
    allow_private: bool = False
    docker_image: str = ""
    e2b_key: str | None = None
    e2b_domain: str | None = None


def chosen(wanted: Wanted) -> "Choice":
    """The ways that are wanted, in the order they are tried; nothing is started yet."""
    made: dict[str, Callable[[Wanted], Sandboxes]] = {
        "bwrap": _bwrap,
        "landlock": _landlock,
        "docker": _docker,
        "e2b": _e2b,
    }
    if wanted.way == "off":
        return Choice([])
    return Choice([make(wanted) for name, make in made.items() if wanted.way in ("auto", name)])


def _bwrap(wanted: Wanted) -> Sandboxes:
    return LocalSandboxes(Bwrap(), wanted.interpreter, wanted.limit, _exits(wanted))


def _landlock(wanted: Wanted) -> Sandboxes:
    return MappedSandboxes(LocalSandboxes(Landlock(), wanted.interpreter, wanted.limit))


def _docker(wanted: Wanted) -> Sandboxes:
    return LocalSandboxes(Docker(wanted.docker_image), PYTHON, wanted.limit, _exits(wanted))


def _e2b(wanted: Wanted) -> Sandboxes:
    return E2b(wanted.e2b_key, wanted.e2b_domain)


def _exits(wanted: Wanted) -> Exits:
    return Exits(Reach(loopback=wanted.allow_private, private=wanted.allow_private))


class Choice:
    """Several ways as one: the first that is open is taken, and kept. It is found out when it is first asked."""

    def __init__(self, ways: Sequence[Sandboxes]) -> None:
        self._ways = tuple(ways)
        self._way: Sandboxes | None = None
        self._reasons: list[str] = []
        self._asked_at = -_BELIEVED_S
        self._asking = asyncio.Lock()

    @property
    def name(self) -> str:
        """Of the way that was taken; before that, of those there are."""
        return self._way.name if self._way else "|".join(way.name for way in self._ways) or "off"

    async def problem(self) -> str | None:
        """What is in the way of every way, and what would open it. Its first call may take seconds."""
        if await self._found():
            return None
        if not self._ways:
            return "Sandboxes are turned off on this server (setting `sandbox`)."
        return "No sandbox can be opened on this server. " + " ; ".join(self._reasons)

    async def refusal(self, room: Room) -> str | None:
        """Why a room like this cannot be had here; None when it can."""
        if problem := await self.problem():
            return problem
        if room.network and self.name not in _NETWORKED:
            return f"Sandboxes of this server ({self.name}) cannot be given a network; it needs bwrap or docker."
        return None

    async def open(self, room: Room) -> Sandbox:
        way = await self._found()
        if way is None or (await self.refusal(room)) is not None:
            raise Broken(await self.refusal(room) or "The sandbox is closed.")
        return await way.open(room)

    async def close(self) -> None:
        for way in self._ways:
            await way.close()

    async def _found(self) -> Sandboxes | None:
        async with self._asking:
            if self._way is None and time.monotonic() - self._asked_at >= _BELIEVED_S:
                await self._ask()
        return self._way

    async def _ask(self) -> None:
        self._reasons = []
        for way in self._ways:
            if (reason := await _problem_of(way)) is None:
                self._way = way
                logger.info("sandboxes are opened", extra={"way": way.name, "passed_over": self._reasons})
                break
            self._reasons.append(f"{way.name}: {reason}")
        else:
            logger.warning("no sandbox can be opened", extra={"reasons": self._reasons})
        self._asked_at = time.monotonic()


async def _problem_of(way: Sandboxes) -> str | None:
    try:
        async with asyncio.timeout(_ASKED_S):
            return await way.problem()
    except TimeoutError:
        return f"it has not answered in {_ASKED_S:.0f} s."
