"""A process in a sandbox, with what is known outside of why it ended."""

import asyncio
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Sequence

_READ_AHEAD_BYTES = 1 << 16
_LAST_WORDS_BYTES = 4096


class Guarded(Process):
    """As asyncio's, with pipes; its stderr is read all the time and forgotten but for the end."""

    #: Why the sandbox was ended from outside (a sentence for the model), if it was.
    stopped: str | None = None
    #: The end of what it said on stderr.
    last_words: str = ""

    async def listen(self) -> None:
        """Until it ends."""
        assert self.stderr  # that is how `start` makes it  # noqa: S101
        said = b""
        while more := await self.stderr.read(_READ_AHEAD_BYTES):
            said = (said + more)[-_LAST_WORDS_BYTES:]
            self.last_words = said.decode(errors="replace").strip()
        await self.wait()

    def stop(self, why: str) -> None:
        """End it and everything in it; the first reason stays."""
        if self.returncode is None:
            self.stopped = self.stopped or why
            self.kill()


async def start(command: Sequence[str], fds: Sequence[int]) -> Guarded:
    """Start it with an empty environment, and no open files but these. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: SubprocessStreamProtocol(limit=_READ_AHEAD_BYTES, loop=loop),
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={},
        pass_fds=tuple(fds),
    )
    return Guarded(transport, protocol, loop)
