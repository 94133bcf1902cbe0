"""What a program in bubblewrap finds around it: a file system, limits and no rights, as arguments for `bwrap`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nodes.sandbox.port import FILES, Room

HOME = "/home/user"
#: Nothing in it tells of this machine.
ETC = {
    "/etc/passwd": b"user:x:1000:1000::/home/user:/bin/sh\n",
    "/etc/group": b"user:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
#: What programs of the system need to be found; none of it is anyone's secret.
_LINKING = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/alternatives")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
#: Beside what the kernel lets nobody without rights read.
_HIDDEN = ("/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug")
_SHARED_MEMORY_BYTES = 64 << 20
_OPEN_FILES = 512
#: bwrap is there too.
_OWN_PROCESSES = 1
#: The program is the first process: bwrap's own one would lie open to code, and with it the pipes to the host; and
#: what speaks to the host cannot be killed from inside.
_NAMESPACES = ("--unshare-all", "--unshare-user", "--disable-userns", "--hostname", "sandbox", "--as-pid-1")
_RIGHTS = ("--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--new-session", "--die-with-parent")
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": HOME, "TMPDIR": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108
#: Each session is a group of its own to the scheduler where that is turned on; niceness counts within a group only.
_MODEST = 'echo 19 2>/dev/null >/proc/self/autogroup; exec "$@"'


def arguments(room: Room, needs: Mapping[str, str], fds: Mapping[str, int]) -> list[str]:
    """Everything but the program. `needs`: places inside, and where each is found outside; `fds`: the contents of
    `ETC` and, under "seccomp", the filter."""
    return [
        *_NAMESPACES,
        *_RIGHTS,
        *_own_files(room),
        *system(),
        *_devices(),
        *(word for place, found in needs.items() for word in ("--ro-bind", found, place)),
        *(word for place in ETC for word in ("--ro-bind-data", str(fds[place]), place)),
        *("--chmod", "0555", "/etc", "--seccomp", str(fds["seccomp"])),
        *(word for name, value in _ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *("--chdir", FILES),
    ]


def limited(program: Sequence[str], room: Room, prlimit: str) -> list[str]:
    """The program behind its limits: they count inside alone because they are set there."""
    return ["/bin/sh", "-c", _MODEST, "sh", prlimit, *_limits(room), "--", *program]


def _own_files(room: Room) -> list[str]:
    """One tmpfs of one size is all there is to write to: files, temporary ones, home, and the root they are in."""
    root = ["--size", str(room.disk_bytes), "--tmpfs", "/", "--perms", "1777", "--dir", "/tmp"]  # noqa: S108
    return [*root, "--dir", FILES, "--dir", HOME, "--perms", "0755", "--dir", "/etc"]


def system() -> Iterator[str]:
    """Programs and libraries of this machine, to be read."""
    for place in map(Path, _SYSTEM):
        if place.is_symlink():
            yield from ("--symlink", str(place.readlink()), str(place))
        elif place.is_dir():
            yield from ("--ro-bind", str(place), str(place))
    for place in _LINKING:
        yield from ("--ro-bind-try", place, place)


def _devices() -> Iterator[str]:
    yield from ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys")
    for place in _HIDDEN:
        if os.path.exists(place):  # noqa: PTH110  # /proc/kcore may not be looked at
            yield from ("--ro-bind", "/dev/null", place)
    yield from ("--dev", "/dev", "--size", str(_SHARED_MEMORY_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108
    yield from ("--remount-ro", "/dev")


def _limits(room: Room) -> list[str]:
    limits = {
        "nproc": room.processes + _OWN_PROCESSES,
        "data": room.memory_bytes,
        "fsize": room.disk_bytes,
        "nofile": _OPEN_FILES,
        "core": 0,
        "msgqueue": 0,
    }
    return [f"--{name}={limit}:{limit}" for name, limit in limits.items()]


def all_bytes(room: Room) -> int:
    """What a whole sandbox may take: of its processes, its files and the memory they share."""
    return room.memory_bytes + room.disk_bytes + _SHARED_MEMORY_BYTES
