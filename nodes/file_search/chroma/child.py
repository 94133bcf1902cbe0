"""A Chroma server of our own: one for all processes on one directory, started by the first that wants it."""

import asyncio
import fcntl
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path

import httpx2

from nodes.file_search.chroma.client import ChromaFailed

_SERVING = str(Path(__file__).with_name("serving.py"))
_LOCK, _ADDRESS, _CONFIG, DATA = "lock", "address", "config.yaml", "data"
#: Indexes kept open; with the default a server runs out of file descriptors at 252 collections.
_OPEN_INDEXES = 64
_START_S, _LOOK_S, _END_S = 20.0, 0.05, 3.0


class Child:
    """Fits `Address`. Whoever holds the lock of the directory is the server's parent; when it dies, so does the server,
    and the next that asks takes both over."""

    ours = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._lock = -1
        self._known: str | None = None
        self._http = httpx2.AsyncClient(timeout=2.0, trust_env=False)

    async def url(self) -> str:
        """Raises `ChromaFailed`."""
        if self._known is None:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look(), name="chroma server")
            # Whoever does not wait for it to the end leaves it to the others.
            await asyncio.shield(self._looking)
        if self._known is None:
            raise ChromaFailed("A Chroma server of our own could not be started.")
        return self._known

    def lost(self) -> None:
        self._known = None

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await self._end()
        await self._http.aclose()

    async def _look(self) -> None:
        """Find it or start it. One of ours that does not answer in all that time is ended."""
        try:
            async with asyncio.timeout(_START_S):
                while self._known is None:
                    self._known = await self._found() or await self._started()
                    if self._known is None:
                        await asyncio.sleep(_LOOK_S)
        except (TimeoutError, OSError):
            await self._end()

    async def _found(self) -> str | None:
        """The server that is there already."""
        with suppress(OSError):
            url = await asyncio.to_thread((self.directory / _ADDRESS).read_text)
            return url if await self._lives(url) else None
        return None

    async def _lives(self, url: str) -> bool:
        try:
            return (await self._http.get(f"{url}/api/v2/heartbeat")).is_success
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return False

    async def _started(self) -> str | None:
        """One of our own, unless another process is about to have one."""
        if self._process or not await asyncio.to_thread(self._locked):
            return None
        port = _free_port()
        await asyncio.to_thread(self._configure, port)
        line = [sys.executable, "-I", "-S", _SERVING, str(os.getpid()), str(self.directory / _CONFIG), *_paths()]
        # It holds the lock, too: until it is gone itself, no other begins on its directory.
        self._process = await asyncio.create_subprocess_exec(
            *line,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
            pass_fds=[self._lock],
        )
        self._watching = asyncio.create_task(self._watch(self._process))
        url = f"http://127.0.0.1:{port}"
        while self._process:
            if await self._lives(url):
                await asyncio.to_thread(_replace, self.directory / _ADDRESS, url)
                return url
            await asyncio.sleep(_LOOK_S)
        return None

    async def _watch(self, process: Process) -> None:
        """When it dies, whoever asks next has another."""
        await process.wait()
        self._let_go()

    def _locked(self) -> bool:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _configure(self, port: int) -> None:
        (self.directory / _CONFIG).write_text(
            f"persist_path: {self.directory / DATA}\nport: {port}\nlisten_address: 127.0.0.1\nallow_reset: false\n"
            f"segment_manager:\n  hnsw_index_pool_cache_config:\n    memory:\n      capacity: {_OPEN_INDEXES}\n"
        )

    async def _end(self) -> None:
        if self._process:
            # What it is writing it may finish.
            with suppress(ProcessLookupError):
                self._process.terminate()
            await _bounded(self._watching)
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
        if self._watching:
            await self._watching
        self._let_go()

    def _let_go(self) -> None:
        self._process = self._known = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


async def _bounded(watching: asyncio.Task[None] | None) -> None:
    if watching:
        await asyncio.wait([watching], timeout=_END_S)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _paths() -> list[str]:
    return [str(Path(path).absolute()) for path in sys.path]


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)
