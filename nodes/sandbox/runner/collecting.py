"""What code writes, as text in pieces of a good size; when there is too much, the middle is left out."""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Callable

_READ_BYTES = 1 << 16
#: A piece goes on when it has this size or age.
_PIECE, _AGE_S = 1 << 15, 0.015


class Stream:
    """The text of one pipe: `half` characters as they come, and the last `half` of them at the end."""

    def __init__(self, fd: int, half: int, tell: Callable[[str], None]) -> None:
        self.fd = fd
        self.ended = False
        self._tell = tell
        self._half = half
        self._room = half
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending: list[str] = []
        self._since = 0.0
        self._tail = ""
        self._left_out = 0
        os.set_blocking(fd, False)

    def read(self) -> bool:
        """Read once; whether there was anything."""
        try:
            raw = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            raw = b""
        if not raw:
            self.ended = True
            return False
        self._take(self._decoder.decode(raw))
        return True

    def drain(self) -> None:
        """Read what is there now, and no more than a pipe holds: another may go on writing for ever."""
        for _ in range(32):
            if not self.read():
                return

    def due_s(self) -> float | None:
        """Seconds until what is pending should go on; None when nothing is."""
        return max(0.0, self._since + _AGE_S - time.monotonic()) if self._pending else None

    def flush(self) -> None:
        if self._pending:
            self._tell("".join(self._pending))
            self._pending.clear()

    def finish(self) -> None:
        """Say what is left, and how much was left out."""
        self._take(self._decoder.decode(b"", True))
        self.flush()
        if self._left_out:
            self._tell(f"\n[… {self._left_out:,} characters left out …]\n")
        if self._tail:
            self._tell(self._tail)
        self._tail = ""

    def _take(self, text: str) -> None:
        now, later = text[: self._room], text[self._room :]
        if now:
            self._room -= len(now)
            if not self._pending:
                self._since = time.monotonic()
            self._pending.append(now)
            if sum(map(len, self._pending)) >= _PIECE:
                self.flush()
        if later:
            self._tail += later
            over = len(self._tail) - self._half
            if over > 0:
                self._left_out += over
                self._tail = self._tail[over:]
