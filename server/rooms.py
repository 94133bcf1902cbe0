"""Sandboxes are put together here, of settings."""

from nodes.sandbox import choose, interpreter
from nodes.sandbox.choose import Wanted
from nodes.sandbox.pool import Pool
from nodes.sandbox.port import Interpreter, Room
from server.settings import Settings


def interpreter_of(settings: Settings) -> Interpreter:
    """The Python of sandboxes."""
    return interpreter.find(settings.sandbox_python, settings.directory / "sandbox")


def room_of(settings: Settings) -> Room:
    """Of a container of which nothing is said."""
    return Room(disk_bytes=settings.sandbox_disk_bytes, processes=settings.sandbox_processes)


def rooms_of(settings: Settings) -> Pool:
    """Nothing is started yet; `fill` opens the ones that are kept ready."""
    key = settings.e2b_api_key.get_secret_value() if settings.e2b_api_key else None
    wanted = Wanted(
        way=settings.sandbox,
        interpreter=interpreter_of(settings),
        limit=settings.sandbox_limit,
        allow_private=settings.sandbox_allow_private,
        docker_image=settings.sandbox_docker_image,
        e2b_key=key,
        e2b_domain=settings.e2b_domain,
    )
    return Pool(choose.chosen(wanted), room_of(settings), settings.sandbox_pool)
