"""Containers are put together here, of settings and of what the house has."""

from checkpoints.shelf import Shelf
from graph.files import Files
from graph.seal import Seal
from nodes.container.containers import Containers
from nodes.container.making import Maker
from nodes.container.port import Rooms, Rules, Skills
from server.rooms import room_of
from server.settings import Settings


def rules_of(settings: Settings) -> Rules:
    """Of the sandboxes that may be open, those kept ready are nobody's yet."""
    return Rules(
        call_timeout_s=settings.sandbox_call_timeout_s,
        sandboxes=max(1, settings.sandbox_limit - settings.sandbox_pool),
        idle_s=settings.container_idle_s,
        wait_s=settings.container_wait_s,
        grace_s=settings.shutdown_grace_s,
        memory_max_bytes=int(settings.container_memory_max.removesuffix("g")) << 30,
    )


def maker_of(settings: Settings, seal: Seal, files: Files, skills: Skills | None = None) -> Maker:
    return Maker(seal, rules_of(settings), files, skills, room_of(settings))


def containers_of(
    settings: Settings, shelf: Shelf, maker: Maker, rooms: Rooms, packages: tuple[str, ...] = ()
) -> Containers:
    """`packages`: what the Python of sandboxes has beside the standard library."""
    return Containers(shelf, maker, rooms, rules_of(settings), packages)
