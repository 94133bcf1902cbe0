"""The files that others may see: regular ones beneath one directory, reached without following any link."""

from __future__ import annotations

import base64
import errno
import os
import stat
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from .wire import Message

#: Directories below one another, and names looked at, before the rest is left alone.
_DEEP, _NAMES = 32, 20_000
#: Of one answer; the rest is told at the next.
_MADE = 1000
#: Directories nobody wants to have.
_LITTER = ("__pycache__", ".ipynb_checkpoints")
#: A clock tick of most kernels: two changes within one look the same.
_TICK_S = 0.005
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Look(NamedTuple):
    """What tells a changed file."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Files:
    """All methods raise `OSError`; what is no regular file is not there."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._seen: dict[str, Look] = {}
        self._part = ""

    def read(self, asked: Message) -> Message:
        """A piece of a file, and how large the whole is."""
        with self._folder(asked["path"]) as (folder, name):
            _regular(os.lstat(name, dir_fd=folder))
            fd = os.open(name, _READ, dir_fd=folder)
        try:
            about = _regular(os.fstat(fd))
            piece = os.pread(fd, asked["size"], asked["offset"])
        finally:
            os.close(fd)
        return {"data": base64.b64encode(piece).decode(), "size": about.st_size}

    def write(self, asked: Message) -> Message:
        """A piece of a file, which appears under its name, in place of what was there, when the last has come."""
        with self._folder(asked["path"], make=True) as (folder, name):
            try:
                if asked["offset"] == 0:
                    self._begin(folder)
                fd = os.open(self._part, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    _write_all(fd, base64.b64decode(asked["data"]), asked["offset"])
                finally:
                    os.close(fd)
                if asked["last"]:
                    os.replace(self._part, name, src_dir_fd=folder, dst_dir_fd=folder)
                    self._seen[asked["path"]] = _look(os.lstat(name, dir_fd=folder))
            except OSError:
                self._drop(folder)
                raise
        return {}

    def drop(self, asked: Message) -> Message:
        """Forget the pieces of a file whose last will not come."""
        with self._folder(asked["path"]) as (folder, _):
            self._drop(folder)
        return {}

    def remove(self, asked: Message) -> Message:
        self._seen.pop(asked["path"], None)
        not_there = suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError)
        with not_there, self._folder(asked["path"]) as (folder, name):
            os.unlink(name, dir_fd=folder)
        return {}

    def changes(self, _: Message) -> Message:
        """What is new, different or gone since the last time."""
        found, whole = self._walk()
        made = [path for path, look in found.items() if self._seen.get(path) != look][:_MADE]
        gone = [path for path in self._seen if path not in found][:_MADE] if whole else []
        self._seen.update((path, found[path]) for path in made)
        for path in gone:
            del self._seen[path]
        if made:
            newest_s = max(found[path].ctime_ns for path in made) / 1e9
            time.sleep(min(_TICK_S, max(0.0, newest_s + _TICK_S - time.time())))
        return {"made": [(path, found[path].size) for path in made], "gone": gone}

    def _begin(self, folder: int) -> None:
        self._part = f".part-{os.urandom(8).hex()}"
        os.close(os.open(self._part, _WRITE, 0o644, dir_fd=folder))

    def _drop(self, folder: int) -> None:
        if self._part:
            with suppress(OSError):
                os.unlink(self._part, dir_fd=folder)
        self._part = ""

    def _walk(self) -> tuple[dict[str, Look], bool]:
        """The files there are, and whether these are all."""
        found: dict[str, Look] = {}
        left, whole = _NAMES, True
        wanted: list[tuple[str, ...]] = [()]
        while wanted:
            parts = wanted.pop()
            for name, about in self._entries(parts):
                left -= 1
                path = "/".join((*parts, name))
                if left < 0 or len(parts) >= _DEEP:
                    whole = False
                elif stat.S_ISDIR(about.st_mode) and name not in _LITTER:
                    wanted.append((*parts, name))
                elif stat.S_ISREG(about.st_mode) and name != self._part and _speakable(path):
                    found[path] = _look(about)
            if left < 0:
                break
        return found, whole

    def _entries(self, parts: Sequence[str]) -> Iterator[tuple[str, os.stat_result]]:
        with suppress(OSError), _opened(self._root, parts) as folder, os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    yield entry.name, entry.stat(follow_symlinks=False)

    @contextmanager
    def _folder(self, path: str, make: bool = False) -> Generator[tuple[int, str]]:
        """The directory of a file, and the file's name in it."""
        *parts, name = path.split("/")
        with _opened(self._root, parts, make) as folder:
            yield folder, name


@contextmanager
def _opened(root: str, parts: Sequence[str], make: bool = False) -> Generator[int]:
    folder = os.open(root, _FOLDER)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _regular(about: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    return about


def _look(about: os.stat_result) -> Look:
    return Look(about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


def _speakable(path: str) -> bool:
    try:
        return len(path.encode()) < 4096
    except UnicodeEncodeError:  # a name that is no text
        return False


def _write_all(fd: int, piece: bytes, offset: int) -> None:
    view = memoryview(piece)
    while view:
        written = os.pwrite(fd, view, offset)
        offset += written
        view = view[written:]
