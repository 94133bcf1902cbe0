"""Sandboxes by Docker or Podman, whichever answers: for hosts without the ways of Linux, and those who prefer these."""

import asyncio
import itertools
import os
import random
import secrets
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nodes.sandbox import guarded
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.port import FILES, Broken, Interpreter, Room

#: That of the image.
PYTHON = Interpreter("python3", ())
_ENGINES = ("docker", "podman")
_NAME = "graphnexus-sandbox-"
_SCRATCH = "/tmp"  # noqa: S108
_ANSWER_S = 20.0
_SHARED_MEMORY_BYTES = 64 << 20
#: Users nobody is, one a sandbox: the kernel counts processes by user.
_UIDS = range(61184, 65520)
_next_uid = itertools.cycle(random.sample(_UIDS, len(_UIDS))).__next__
_HELD = (
    "--rm", "--interactive", "--pull=never", "--network=none", "--ipc=private", "--read-only", "--cap-drop=ALL",
    "--log-driver=none", "--security-opt=no-new-privileges", "--security-opt=label=disable", "--hostname=sandbox",
    "--ulimit=nofile=1024:1024", "--ulimit=core=0:0", "--stop-timeout=0",
)  # fmt: skip


class _Answer(NamedTuple):
    status: int
    said: str


class Docker:
    """Fits `Isolation`. `engine`: the command of another engine than the first that is installed."""

    name = "docker"

    def __init__(self, image: str, engine: Sequence[str] = ()) -> None:
        self._image = image
        self._engine = list(engine)
        self._guards: set[asyncio.Task[None]] = set()

    async def problem(self) -> str | None:
        installed = [path for name in _ENGINES if (path := shutil.which(name))]
        engines = [self._engine] if self._engine else [[path] for path in installed]
        reason = "neither docker nor podman is installed."
        for engine in engines:
            self._engine = engine
            answer = await self._asked("version", "--format", "{{.Server.Version}}")
            if answer.status == 0:
                return await self._image_problem()
            reason = f"no engine answers `{Path(engine[0]).name} version`: {_last(answer.said)}"
        return reason

    async def _image_problem(self) -> str | None:
        """An image is not fetched behind the operator's back."""
        answer = await self._asked("image", "inspect", "--format", "{{.Id}}", self._image)
        if answer.status == 0:
            return None
        return f"the image is not there; `{Path(self._engine[0]).name} pull {self._image}` gets it."

    async def start(self, program: Sequence[str], needs: Sequence[str], room: Room) -> Guarded:
        name = f"{_NAME}{secrets.token_hex(8)}"
        command = [*self._engine, "run", *_HELD, *_rooms(name, needs, room)]
        try:
            process = await guarded.start(
                [*_clean(), *command, f"--entrypoint={program[0]}", self._image, *program[1:]], []
            )
        except OSError as error:
            raise Broken(f"A container could not be started: {error.strerror}.") from error
        guard = asyncio.create_task(self._guard(process, name))
        self._guards.add(guard)
        guard.add_done_callback(self._guards.discard)
        return process

    async def _guard(self, process: Guarded, name: str) -> None:
        """The command is not the container: that is ended by name, should it not have heard the end of its stdin."""
        try:
            await process.listen()
        finally:
            await asyncio.to_thread(self._end, name)

    def _end(self, name: str) -> None:
        """In a thread: a subprocess of asyncio that is begun while its loop ends would keep it from ending."""
        with suppress(OSError, subprocess.TimeoutExpired):
            command = [*_clean(), *self._engine, "rm", "--force", "--volumes", name]
            subprocess.run(command, capture_output=True, timeout=_ANSWER_S, env={}, check=False)  # noqa: S603

    async def _asked(self, *arguments: str) -> _Answer:
        try:
            process = await asyncio.create_subprocess_exec(
                *_clean(), *self._engine, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={}
            )
        except OSError as error:
            return _Answer(1, error.strerror or str(error))
        try:
            async with asyncio.timeout(_ANSWER_S):
                out, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return _Answer(1, f"it has not answered in {_ANSWER_S:.0f} s")
        return _Answer(process.returncode or 0, (out + errors).decode(errors="replace"))


def _rooms(name: str, needs: Sequence[str], room: Room) -> list[str]:
    """What tells one container from another."""
    uid = _next_uid()
    memory = room.memory_bytes + room.disk_bytes  # files are in memory, too
    scratch = room.disk_bytes // 4
    shared = "rw,exec,nosuid,nodev,mode=1777"
    processes = room.processes + 2
    return [
        f"--name={name}",
        f"--user={uid}:{uid}",
        f"--memory={memory}",
        f"--memory-swap={memory}",
        f"--shm-size={_SHARED_MEMORY_BYTES}",
        f"--pids-limit={processes}",
        f"--ulimit=nproc={processes}:{processes}",
        f"--tmpfs={FILES}:{shared},size={room.disk_bytes - scratch}",
        f"--tmpfs={_SCRATCH}:{shared},size={scratch}",
        *(f"--volume={need}:{need}:ro" for need in needs),
        f"--workdir={FILES}",
        f"--env=HOME={_SCRATCH}",
        f"--env=TMPDIR={_SCRATCH}",
    ]


def _clean() -> list[str]:
    """The command begins with what it needs to find its engine, and nothing of the server's environment."""
    found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(Path.home())}
    runtime = Path(f"/run/user/{os.getuid()}")
    if runtime.is_dir():
        found["XDG_RUNTIME_DIR"] = str(runtime)
    return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in found.items())]


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1][:300] if lines else "it says nothing."
