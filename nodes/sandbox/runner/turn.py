"""One call that takes time: what it says goes on at once, and those outside can interrupt it."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

from . import wire
from .collecting import Stream
from .python import Python

#: Seconds from an interrupt until what did not heed it is killed.
HEED_S = 2.0
#: Characters of a call that are told from its beginning, and as many from its end.
_HALF = 1 << 19


class Inbox:
    """The calls of those outside, in order, and what they say meanwhile of the one that runs."""

    def __init__(self, ear: wire.Ear) -> None:
        self._ear = ear
        self._calls: list[wire.Message] = []
        self.fd = ear.fd

    def next(self) -> wire.Message:
        """The next call; an interrupt that came too late is none. Raises `Closed`."""
        while True:
            message = self._calls.pop(0) if self._calls else self._ear.next()
            if message["ask"] != "interrupt":
                return message

    def interrupts(self, id: str) -> bool:
        """Read what has come: whether the call is to be interrupted."""
        self._ear.read()
        while message := self._ear.ready():
            if message["ask"] == "interrupt" and message["id"] == id:
                return True
            self._calls.append(message)
        return False


class Turn:
    def __init__(self, asked: wire.Message, inbox: Inbox, say: Callable[[wire.Message], None]) -> None:
        self.asked = asked
        self._inbox = inbox
        self._say = say
        self._deadline = time.monotonic() + asked.get("timeout_s", 60.0)
        #: Why it is to end before its own end.
        self.why: str | None = None

    def say(self, message: wire.Message) -> None:
        self._say({"id": self.asked["id"], **message})

    def stream(self, fd: int, kind: str) -> Stream:
        return Stream(fd, _HALF, lambda text: self.say({kind: text}))

    def of(self, python: Python) -> wire.Message:
        """Have the Python do it: what it answers, or that its variables are lost."""
        output = self.stream(python.output, "logs")
        answer: wire.Message | None = None
        try:
            python.tell({name: value for name, value in self.asked.items() if name != "id"})
            while answer is None:
                answer = self._heard(python, output)
        except wire.Closed:
            answer = {"lost": True}
        output.drain()
        output.finish()
        return {**answer, "why": self.why}

    def attend(self, streams: Sequence[Stream], others: Sequence[int] = (), at_most_s: float | None = None) -> set[int]:
        """Wait for anything to happen and take it in: which of `others` can be read."""
        poll = select.poll()
        open_ = [stream for stream in streams if not stream.ended]
        for fd in (self._inbox.fd, *others, *(stream.fd for stream in open_)):
            poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(self._patience_ms(open_, at_most_s))}
        for stream in open_:
            if stream.fd in ready:
                stream.read()
            if stream.due_s() == 0.0:
                stream.flush()
        if self._inbox.fd in ready and self._inbox.interrupts(self.asked["id"]):
            self.why = self.why or "interrupted"
        if time.monotonic() >= self._deadline:
            self.why = self.why or "time"
        return ready & {*others}

    def _heard(self, python: Python, output: Stream) -> wire.Message | None:
        """What the Python answers, once it does. Raises `Closed` when it is dead, or has to be."""
        interrupted = self.why
        ready = self.attend([output], [python.ear.fd])
        if ready:
            python.ear.read()
        while word := python.ear.ready():
            output.drain()
            if "done" in word:
                return {"done": word["done"]}
            output.flush()
            self.say({"image": word.get("image")})
            python.tell({"ask": "on"})
        if self.why and not interrupted:
            python.interrupt()
            self._deadline = time.monotonic() + HEED_S
        elif self.why and time.monotonic() >= self._deadline:
            raise wire.Closed
        return None

    def _patience_ms(self, streams: Sequence[Stream], at_most_s: float | None) -> float:
        waits = [self._deadline - time.monotonic(), *(stream.due_s() for stream in streams), at_most_s]
        return max(0.0, min(wait for wait in waits if wait is not None)) * 1000 + 0.5
