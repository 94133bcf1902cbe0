"""Limits that the kernel keeps for a whole sandbox, where it lets us: control groups of memory, processes and time."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from nodes.sandbox.port import Room

MOUNT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_PREFIX = "graphnexus"
_CONTROLLERS = ("memory", "pids", "cpu")
#: Each group of version 1 costs a start 15 ms, so that niceness has to do for the processor there.
_NEEDED = frozenset({"memory", "pids"})
_next = count().__next__


@dataclass(frozen=True, slots=True)
class Group:
    """One sandbox's: one directory (version 2), or one of each controller."""

    directories: Sequence[Path]

    def killed(self) -> int:
        """Processes that were killed because there was no memory left."""
        said = ""
        for directory in self.directories:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError):
                    said += (directory / name).read_text()
        found = re.search(r"^oom_kill (\d+)$", said, re.MULTILINE)
        return int(found[1]) if found else 0

    def remove(self) -> bool:
        """Whether that was possible: it is when the last of its processes has gone."""
        for directory in self.directories:
            with suppress(FileNotFoundError):
                try:
                    directory.rmdir()
                except OSError:
                    return False
        return True


class Cgroups:
    """Where groups are made: beneath the server's own."""

    def __init__(self, parents: Mapping[str, Path], unified: bool) -> None:
        self._parents = parents
        self._unified = unified
        self._sweep()

    def make(self, room: Room, bytes_of_all: int) -> Group:
        """Raises `OSError`."""
        name = f"{_PREFIX}-{os.getpid()}-{_next()}"
        group = Group([parent / name for parent in dict.fromkeys(self._parents.values())])
        limits = _limits(room, bytes_of_all, self._unified)
        try:
            for directory in group.directories:
                directory.mkdir()
            for file, limit in limits.items():
                directory = self._parents[file.partition(".")[0]] / name
                if (directory / file).exists():
                    (directory / file).write_text(str(limit))
        except OSError:
            group.remove()
            raise
        return group

    def _sweep(self) -> None:
        """What a server that was killed has left."""
        for parent in self._parents.values():
            for directory in parent.glob(f"{_PREFIX}-*-*"):
                if not Path("/proc", directory.name.split("-")[1]).exists():
                    with suppress(OSError):
                        directory.rmdir()


def find(mount: Path = MOUNT, own: Path = OWN) -> Cgroups | None:
    """None where the server may not make groups that limit memory and processes. It may have to step aside into a
    group of its own first, as version 2 wants it; done only in a group that was delegated."""
    places = {name: Path(path) for _, names, path in _memberships(own) for name in names.split(",")}
    try:
        if (mount / "cgroup.controllers").exists():
            return _unified(mount / places[""].relative_to("/"), mount)
        parents = {name: mount / name / places[name].relative_to("/") for name in _NEEDED if name in places}
        writable = {name: path for name, path in parents.items() if os.access(path, os.W_OK)}
        return Cgroups(writable, unified=False) if writable.keys() >= _NEEDED else None
    except (OSError, KeyError, ValueError):
        return None


def _unified(own: Path, mount: Path) -> Cgroups | None:
    home = own.parent if own.name == f"{_PREFIX}-server" else own
    offered = (home / "cgroup.controllers").read_text().split()
    if not _NEEDED.issubset(offered) or not os.access(home, os.W_OK):
        return None
    if not _NEEDED.issubset((home / "cgroup.subtree_control").read_text().split()):
        if home != mount and not _delegated(home):
            return None
        if (home / "cgroup.type").exists():  # the machine's own root may hold processes and groups
            _step_aside(home)
        (home / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _CONTROLLERS if name in offered))
    return Cgroups({name: home for name in _CONTROLLERS if name in offered}, unified=True)


def _delegated(home: Path) -> bool:
    """Given to us by systemd, to do in as we like; what is all that a container sees is so, too."""
    for name in ("user.delegate", "trusted.delegate"):
        with suppress(OSError):
            if os.getxattr(home, name) == b"1":
                return True
    return False


def _step_aside(home: Path) -> None:
    aside = home / f"{_PREFIX}-server"
    aside.mkdir(exist_ok=True)
    for pid in (home / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            (aside / "cgroup.procs").write_text(pid)


def _memberships(own: Path) -> list[list[str]]:
    try:
        return [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []


def _limits(room: Room, bytes_of_all: int, unified: bool) -> dict[str, int]:
    if unified:
        return {"memory.max": bytes_of_all, "memory.swap.max": 0, "pids.max": 2 * room.processes, "cpu.weight": 5}
    return {"memory.limit_in_bytes": bytes_of_all, "pids.max": 2 * room.processes}
