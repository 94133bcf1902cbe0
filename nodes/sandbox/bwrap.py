"""Sandboxes by bubblewrap: namespaces, no rights, few system calls. The way of Linux where users may have namespaces."""

import asyncio
import os
from collections.abc import Sequence

from nodes.sandbox import guarded, inside, outside, seccomp
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.port import Broken, Room


class Bwrap:
    """Fits `Isolation`; what it starts is `Guarded`."""

    name = "bwrap"

    def __init__(self) -> None:
        self._filter = seccomp.program(seccomp.rules()) if seccomp.known() else b""
        self._guards: set[asyncio.Task[None]] = set()

    async def start(self, program: Sequence[str], needs: Sequence[str], room: Room) -> Guarded:
        launch = outside.launch(needs, [])
        contents = {**inside.ETC, "seccomp": self._filter}
        fds = {name: _readable(content) for name, content in contents.items()}
        try:
            arguments = inside.arguments(room, launch.needs, fds)
            limited = inside.limited(program, room, outside.tool("prlimit"))
            command = launch.command([outside.tool("bwrap"), *arguments, "--", *limited])
            process = await guarded.start(command, list(fds.values()))
        except OSError as error:
            raise Broken(f"A sandbox could not be started: {error.strerror}.") from error
        finally:
            for fd in fds.values():
                os.close(fd)
        guard = asyncio.create_task(process.listen())
        self._guards.add(guard)
        guard.add_done_callback(self._guards.discard)
        return process


def _readable(content: bytes) -> int:
    """A file without a name, at its beginning."""
    fd = os.memfd_create("sandbox")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
