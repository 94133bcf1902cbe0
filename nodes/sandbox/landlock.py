"""Sandboxes by Landlock, for hosts where users may have no namespaces: files, sockets, signals and system calls denied.

What it does not have is told in docs/sandbox-ways.md: `FILES` is a directory of the host there, and has another name.
"""

import asyncio
import errno
import itertools
import json
import os
import random
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodes.sandbox import guarded, places, seccomp
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.port import FILES, Broken, Room
from nodes.sandbox.seccomp import Argument, Deny, Rule

_LAUNCHER = Path(__file__).parent / "confine"
_PREFIX = "graphnexus-box-"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types",
           "/etc/fonts", "/proc/meminfo", "/proc/cpuinfo")  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_CHECK_S = 10.0
_WORDS_BYTES = 4096
#: Users nobody is (the range systemd keeps for such), one a sandbox.
_UIDS = range(61184, 65520)
_next_uid = itertools.cycle(random.sample(_UIDS, len(_UIDS))).__next__

_STREAM, _NONBLOCK, _CLOEXEC = 1, 0x800, 0x80000
_IOCTLS = (0x5412, 0x541C, 0x40086602, 0x401C5820)  # typing for others; flags of files that are its user's
_MODES = "chmod fchmod fchmodat fchmodat2 utime utimes utimensat futimesat"
_OWNERS = (
    "chown fchown lchown fchownat setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr "
    "removexattrat file_setattr"
)
_PRIORITIES = "setpriority ioprio_set"
_OF_ITSELF = "prlimit64 sched_setaffinity sched_setparam sched_setscheduler sched_setattr"


def _rules(same_user: bool) -> list[Rule]:
    """Beside what Landlock denies. A sandbox of the server's own user owns files and processes that are not its own:
    their modes and times are left as they are without a word, for copying sets them; the rest is refused."""
    streams = (_STREAM, _STREAM | _NONBLOCK, _STREAM | _CLOEXEC, _STREAM | _NONBLOCK | _CLOEXEC)
    always: list[Rule] = [
        Deny(["socket", "connect", "mq_open"]),
        Argument("socketpair", 1, streams, met_fails=False),
        *(Argument(name, 0, (0,), met_fails=False) for name in _OF_ITSELF.split()),
    ]
    shared: list[Rule] = [
        Deny(_MODES.split(), 0),
        Deny(_OWNERS.split(), errno.ENOTSUP),
        Deny(_PRIORITIES.split()),
        Argument("ioctl", 1, _IOCTLS),
    ]
    return [*always, *(shared if same_user else []), *seccomp.rules()]


@dataclass(frozen=True, slots=True)
class _Box:
    """The directory of one sandbox, and its user. Who holds `lock` is alive."""

    place: Path
    lock: int
    uid: int | None

    @property
    def files(self) -> Path:
        return self.place / FILES.lstrip("/")

    @property
    def scratch(self) -> Path:
        return self.place / "tmp"

    @classmethod
    def made(cls) -> "_Box":
        box = cls(*places.made(_PREFIX), _next_uid() if os.geteuid() == 0 else None)
        box.files.mkdir(parents=True)
        box.scratch.mkdir()
        for own in (box.files, box.scratch):
            own.chmod(0o700)
            if box.uid is not None:
                os.chown(own, box.uid, box.uid)
        return box


class Landlock:
    """Fits `Isolation`. Its sandboxes have no network at all."""

    name = "landlock"

    def __init__(self) -> None:
        self._guards: set[asyncio.Task[None]] = set()

    async def problem(self) -> str | None:
        if sys.platform != "linux" or not seccomp.known():
            return "it needs Linux on x86_64 or aarch64."
        await asyncio.to_thread(places.sweep, _PREFIX)
        try:
            process = await self.start(["/bin/sh", "-c", ":"], [], Room())
            async with asyncio.timeout(_CHECK_S):
                await asyncio.wait(list(self._guards))  # they hear what is said
        except (Broken, TimeoutError) as broken:
            return str(broken) or "a sandbox did not end."
        if process.returncode == 0:
            return None
        return f"{process.last_words or 'a sandbox did not start'}; Linux 5.13 with Landlock enabled is needed."

    async def start(self, program: Sequence[str], needs: Sequence[str], room: Room) -> Guarded:
        """An argument that is `FILES` becomes the directory that is in its place here. Raises `Broken`."""
        if room.network:
            raise Broken("A sandbox of the landlock way cannot be given a network.")
        try:
            box = await asyncio.to_thread(_box, needs)
            spec = json.dumps(_spec(box, program, needs, room))
            process = await guarded.start([sys.executable, "-I", "-S", str(_LAUNCHER), spec], [box.lock])
        except OSError as error:
            raise Broken(f"A sandbox could not be started: {error.strerror}.") from error
        os.close(box.lock)
        guard = asyncio.create_task(_guard(process, box))
        self._guards.add(guard)
        guard.add_done_callback(self._guards.discard)
        return process


def _spec(box: _Box, program: Sequence[str], needs: Sequence[str], room: Room) -> dict[str, object]:
    scratch = str(box.scratch)
    return {
        "parent": os.getpid(),
        "uid": box.uid,
        "program": [str(box.files) if argument == FILES else argument for argument in program],
        "environment": {"HOME": scratch, "TMPDIR": scratch, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
                        "FILES": str(box.files)},
        "files": str(box.files),
        "read": [*_SYSTEM, *needs],
        "write": [str(box.files), scratch],
        "devices": _DEVICES,
        "filter": seccomp.program(_rules(same_user=box.uid is None)).hex(),
        "memory_bytes": room.memory_bytes,
        "disk_bytes": room.disk_bytes,
        "processes": room.processes + 2,
    }  # fmt: skip


def _box(needs: Sequence[str]) -> _Box:
    closed = [need for need in needs if os.geteuid() == 0 and not _open_to_all(Path(need).resolve())]
    if closed:
        reason = f"{', '.join(closed)} cannot be read by other users than root, and sandboxes do not run as root"
        raise Broken(f"{reason}: name one elsewhere (setting `sandbox_python`), or run the server as another user.")
    return _Box.made()


def _open_to_all(need: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (need, *need.parents))


async def _guard(process: Guarded, box: _Box) -> None:
    assert process.stderr  # `guarded.start` makes it  # noqa: S101
    try:
        while said := await process.stderr.read(_WORDS_BYTES):
            process.last_words = said.decode(errors="replace").strip()
            process.stopped = process.stopped or process.last_words
        await process.wait()
        await asyncio.to_thread(places.remove, box.place)
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
        places.remove(box.place)  # the loop ends; what is left is swept at the next start
        raise
