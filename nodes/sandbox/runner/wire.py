"""Lines of JSON, over pipes."""

from __future__ import annotations

import json
import os
from typing import Any

Message = dict[str, Any]

#: Of one line. A longer one comes from nobody who means well.
LINE_BYTES = 8 << 20
_READ_BYTES = 1 << 18


class Closed(Exception):
    """The other side is gone, or does not speak JSON."""


class Ear:
    """The messages of a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._begun = bytearray()
        self._heard: list[Message] = []

    def ready(self) -> Message | None:
        """A message that was read already."""
        return self._heard.pop(0) if self._heard else None

    def read(self) -> None:
        """Read once, and wait for something to be there. Raises `Closed`."""
        try:
            more = os.read(self.fd, _READ_BYTES)
        except OSError as error:
            raise Closed from error
        if not more or len(self._begun) > LINE_BYTES:
            raise Closed
        self._begun += more
        if b"\n" in more:
            *lines, rest = self._begun.split(b"\n")
            self._begun = rest
            self._heard += [_message(line) for line in lines]

    def next(self) -> Message:
        """The next message; waits for it. Raises `Closed`."""
        while not self._heard:
            self.read()
        return self._heard.pop(0)


def _message(line: bytearray) -> Message:
    try:
        message = json.loads(line)
    except ValueError as error:
        raise Closed from error
    if not isinstance(message, dict):
        raise Closed
    return message  # pyright: ignore[reportUnknownVariableType]


def say(fd: int, message: Message) -> None:
    """Write a message, and wait until it is taken. Raises `Closed`."""
    line = memoryview(json.dumps(message).encode() + b"\n")
    try:
        while line:
            line = line[os.write(fd, line) :]
    except OSError as error:
        raise Closed from error
