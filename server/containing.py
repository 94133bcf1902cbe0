"""Containers are put together here, of settings and of what the house has."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from checkpoints import Store
from checkpoints.shelf import Shelf
from checkpoints.storage import Storage
from graph.files import Files
from nodes.container.containers import Containers
from nodes.container.making import Maker
from nodes.container.port import Rules, Skills
from nodes.sandbox import interpreter
from nodes.sandbox.pool import Pool
from server.rooms import interpreter_of, room_of, rooms_of
from server.secret import seal_of
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Containing:
    containers: Containers
    shelf: Shelf
    rooms: Pool

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Look after the sandboxes; when everything that runs in them has ended, save what is in them."""
        try:
            async with self.containers.keeping():
                yield
        finally:
            await self.rooms.close()


def containing(
    settings: Settings, store: Store, storage: Storage, files: Files, skills: Skills | None = None
) -> Containing:
    """Nothing is started yet."""
    rules, room = _rules_of(settings), room_of(settings)
    shelf = Shelf(store.containers, storage, room.disk_bytes, settings.file_quota_bytes)
    maker = Maker(seal_of(settings), rules, files, skills, room)
    rooms = rooms_of(settings)
    packages = tuple(interpreter.packages(interpreter_of(settings)))
    return Containing(Containers(shelf, maker, rooms, rules, packages), shelf, rooms)


def _rules_of(settings: Settings) -> Rules:
    """Of the sandboxes that may be open, those kept ready are nobody's yet."""
    return Rules(
        call_timeout_s=settings.sandbox_call_timeout_s,
        sandboxes=max(1, settings.sandbox_limit - settings.sandbox_pool),
        idle_s=settings.container_idle_s,
        wait_s=settings.container_wait_s,
        grace_s=settings.shutdown_grace_s,
        memory_max_bytes=int(settings.container_memory_max.removesuffix("g")) << 30,
    )
