"""The Python that holds the variables, as the supervisor has it: a child made by fork, and its pipes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from . import kernel, processes, wire


class Python:
    def __init__(self, reaper: processes.Reaper) -> None:
        """Raises `OSError` when there may be no more processes."""
        orders, self._orders = os.pipe()
        words_in, words = os.pipe()
        self.output, output = os.pipe()
        self._reaper = reaper
        self.pid = os.fork()
        if not self.pid:
            kernel.main(kernel.Pipes(orders, words, output))
        for fd in (orders, words, output):
            os.close(fd)
        self.ear = wire.Ear(words_in)

    def tell(self, order: wire.Message) -> None:
        """Raises `Closed` when it is dead."""
        wire.say(self._orders, order)

    def interrupt(self) -> None:
        """As Ctrl-C does: it, and what it has started."""
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGINT)

    @property
    def dead(self) -> bool:
        return self._reaper.status(self.pid) is not None

    def end(self) -> int:
        """Kill it, if it lives, with all it has started; gives how it ended."""
        own = self._reaper.status(self.pid)
        processes.end(self.pid)
        status = self._reaper.wait(self.pid) if own is None else own
        self._reaper.forget(self.pid)
        for fd in (self._orders, self.ear.fd, self.output):
            os.close(fd)
        return status
