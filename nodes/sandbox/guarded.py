"""A process in a sandbox, with what is known outside of why it ended."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Sequence
from contextlib import suppress
from signal import pidfd_send_signal

from nodes.sandbox.usage import children

_READ_AHEAD_BYTES = 1 << 16
_LAST_WORDS_BYTES = 4096


class _Protocol(SubprocessStreamProtocol):
    """Tells of the end of the process when it comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_READ_AHEAD_BYTES, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class Guarded(Process):
    """As asyncio's, with pipes; its stderr is read all the time and forgotten but for the end."""

    def __init__(
        self, transport: asyncio.SubprocessTransport, protocol: _Protocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(transport, protocol, loop)
        self._pipes = transport
        self._exited = protocol.exited
        self._handle = _handle(self.pid)
        #: Why the sandbox was ended from outside (a sentence for the model), if it was.
        self.stopped: str | None = None
        #: The end of what it said on stderr; all of it was read when `heard` is set.
        self.last_words = ""
        self.heard = asyncio.Event()

    async def wait(self) -> int:
        """As asyncio's, which waits for its output to be read as well: for ever, where nobody does."""
        await self._exited.wait()
        return self.returncode if self.returncode is not None else -signal.SIGKILL

    async def listen(self) -> None:
        """Until it ends; it is ended when this is cancelled."""
        try:
            await self._read()
            if await self.wait() == -signal.SIGKILL:
                self._pipes.close()  # nobody will read what is left
        except asyncio.CancelledError:
            self.kill()
            self._pipes.close()
            raise
        finally:
            self._let_go()

    async def _read(self) -> None:
        assert self.stderr  # that is how `start` makes it  # noqa: S101
        said = b""
        while more := await self.stderr.read(_READ_AHEAD_BYTES):
            said = (said + more)[-_LAST_WORDS_BYTES:]
            self.last_words = said.decode(errors="replace").strip()
        self.heard.set()

    def _let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def kill(self) -> None:
        """End it and everything in it. The inner ones end with the outermost, but not yet while they begin."""
        with suppress(OSError):
            self.send_signal(signal.SIGSTOP)
            for child in children(self.pid):
                os.kill(child, signal.SIGKILL)
        with suppress(OSError):
            self.send_signal(signal.SIGKILL)

    def send_signal(self, signal: int) -> None:
        """As asyncio's, which may take the end of the process from those that wait for it."""
        if self._handle is None or self.returncode is not None:
            raise ProcessLookupError
        pidfd_send_signal(self._handle, signal)

    def stop(self, why: str) -> None:
        """Kill it; the first reason stays."""
        if self.returncode is None:
            self.stopped = self.stopped or why
            self.kill()


def _handle(pid: int) -> int | None:
    """Its number may be another's one day; this is not."""
    with suppress(ProcessLookupError):
        return os.pidfd_open(pid)
    return None


async def start(command: Sequence[str], fds: Sequence[int]) -> Guarded:
    """Start it with an empty environment, and no open files but these. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _Protocol(loop), *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}, pass_fds=tuple(fds)
    )
    return Guarded(transport, protocol, loop)
