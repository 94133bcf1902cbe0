"""Sandboxes by bubblewrap: namespaces, no rights, few system calls. The way of Linux, where users may have those."""

import asyncio
import os
import platform
import signal
from collections.abc import Sequence
from contextlib import suppress

from nodes.sandbox import cgroup, checking, guarded, inside, outside, seccomp
from nodes.sandbox.cgroup import Group
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.port import Broken, Room
from nodes.sandbox.watch import watch

#: A group can be removed when the kernel has buried the last of its processes.
_BURIED_S = 0.05
_BURIALS = 100
#: What bwrap ends with when the program it started was killed.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


class Bwrap:
    """Fits `Isolation`; what it starts is `Guarded`. Limits of a whole sandbox are the kernel's where `grouped` and it
    lets us, else a watch's."""

    name = "bwrap"

    def __init__(self, grouped: bool = True) -> None:
        self._filter = seccomp.program(seccomp.rules()) if seccomp.known() else b""
        self._groups = cgroup.find() if grouped else None
        self._guards: set[asyncio.Task[None]] = set()

    @property
    def limits(self) -> str:
        """Who keeps a sandbox from taking more memory than it may: `cgroup` or `watch`."""
        return "cgroup" if self._groups else "watch"

    async def problem(self) -> str | None:
        if not self._filter:
            return f"system calls cannot be filtered on this kind of machine ({platform.machine()})."
        try:
            return await checking.problem(self.start)
        except Broken as broken:
            return f"{broken} {checking.ADVICE}"

    async def start(self, program: Sequence[str], needs: Sequence[str], room: Room) -> Guarded:
        group = self._group(room)
        try:
            process = await self._started(program, needs, room, group)
        except BaseException:
            if group:
                group.remove()
            raise
        guard = asyncio.create_task(_guard(process, room, group))
        self._guards.add(guard)
        guard.add_done_callback(self._guards.discard)
        return process

    def _group(self, room: Room) -> Group | None:
        try:
            return self._groups.make(room, inside.all_bytes(room)) if self._groups else None
        except OSError as error:
            raise Broken(f"The sandbox could not be limited: {error.strerror}.") from error

    async def _started(self, program: Sequence[str], needs: Sequence[str], room: Room, group: Group | None) -> Guarded:
        launch = outside.launch(needs, group.directories if group else ())
        limited = inside.limited(program, room, outside.tool("prlimit"))
        contents = {**inside.ETC, "seccomp": self._filter}
        fds = {name: _readable(content) for name, content in contents.items()}
        try:
            arguments = inside.arguments(room, launch.needs, fds)
            command = launch.command([outside.tool("bwrap"), *arguments, "--", *limited])
            return await guarded.start(command, list(fds.values()))
        except OSError as error:
            raise Broken(f"The sandbox could not be started: {error.strerror}.") from error
        finally:
            for fd in fds.values():
                os.close(fd)


async def _guard(process: Guarded, room: Room, group: Group | None) -> None:
    """Until it has ended and nothing of it is left."""
    why = f"It needed more than the {room.memory_bytes >> 20} MiB of memory there are."
    watching = None if group else asyncio.create_task(watch(process, inside.all_bytes(room), room.disk_bytes, why))
    try:
        await process.listen()
    finally:
        if watching:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        if group:
            await _bury(process, group, why)


async def _bury(process: Guarded, group: Group, why: str) -> None:
    if process.returncode in _KILLED and group.killed():
        process.stopped = process.stopped or why
    for _ in range(_BURIALS):
        if group.remove():
            return
        await asyncio.sleep(_BURIED_S)


def _readable(content: bytes) -> int:
    """A file without a name, at its beginning."""
    fd = os.memfd_create("sandbox")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
