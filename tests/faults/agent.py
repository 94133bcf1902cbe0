"""Within a server under test: tells the test what it passes, and stops where it is told to."""

import contextlib
import json
import os
import socket
import threading
from typing import Any, Literal

from tests.faults.naming import Seen

#: A transaction is about to begin; is done but for its commit; is committed, and nobody has been told.
When = Literal["before", "within", "after"]


class Agent:
    """Speaks lines of JSON with a test's `tests.faults.control.Control`."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._lock = threading.Lock()
        self._armed: dict[str, Any] | None = None
        self._tasks: dict[str, list[str]] = {}
        self._go = threading.Event()
        self._say({"pid": os.getpid()})
        threading.Thread(target=self._obey, daemon=True).start()

    @property
    def stops_before(self) -> bool:
        armed = self._armed
        return armed is not None and armed["when"] == "before"

    def passes(self, when: When, seen: Seen) -> None:
        """Blocks the calling thread when this is where to stop."""
        events = seen.events
        with self._lock:
            held = self.stops_at(when, seen)
            fact: dict[str, Any] = {"when": when, "name": self._named(seen), "events": [events.start, events.stop]}
            if held:
                self._armed = None
                self._go.clear()
            self._say({**fact, "held": held})
        if held:
            self._go.wait()

    def stops_at(self, when: When, seen: Seen) -> bool:
        armed = self._armed
        if armed is None or armed["when"] != when:
            return False
        return armed["name"] == self._named(seen) or armed["event"] in seen.events

    def _named(self, seen: Seen) -> str:
        """`writes call_model 2` for the second step of that name since the last command."""
        if not (name := seen.name) or not seen.task:
            return name
        tasks = self._tasks.setdefault(name, [])
        if seen.task not in tasks:
            tasks.append(seen.task)
        return f"{name} {tasks.index(seen.task) + 1}" if tasks.index(seen.task) else name

    def _obey(self) -> None:
        with self._socket.makefile() as lines:
            for line in lines:
                command = json.loads(line)
                if "arm" in command:
                    self._armed, self._tasks = command["arm"], {}
                if "go" in command:
                    self._go.set()
        self._armed = None
        self._go.set()

    def _say(self, fact: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the test has ended
            self._socket.sendall(json.dumps(fact).encode() + b"\n")
