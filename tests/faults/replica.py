"""A server under test, and what can be done to it from outside."""

import os
import signal
import subprocess
from typing import Self

from tests.process import Server


class Replica(Server):
    """Started through `launch.py`; may be started again after it has ended."""

    module = "tests.faults.launch"

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def ask_to_stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def ended(self, limit_s: float) -> bool:
        """Whether it has ended by itself, within so many seconds."""
        assert self._process
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def revive(self) -> Self:
        if not self.lives:
            self.start()
        return self
