"""The test's end of the wire to the servers it watches; see `agent.py`."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Passed:
    """A transaction that a server was in, at one of its three moments."""

    pid: int
    when: str
    name: str
    events: range
    #: The server waits there for `go`.
    held: bool


class Link:
    """One server under test."""

    def __init__(self, pid: int, wire: socket.socket) -> None:
        self.pid = pid
        self._wire = wire

    def send(self, command: dict[str, Any]) -> bool:
        try:
            self._wire.sendall(json.dumps(command).encode() + b"\n")
        except OSError:
            return False
        return True


@dataclass
class Control:
    """Every server that has called, and what they have passed."""

    links: dict[int, Link] = field(default_factory=dict[int, Link])
    passed: list[Passed] = field(default_factory=list[Passed])
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def tell(self, command: dict[str, Any]) -> None:
        for link in list(self.links.values()):
            link.send(command)

    def wait_for(self, wanted: Callable[[Passed], bool], limit_s: float, since: int = 0) -> Passed | None:
        """The first that is `wanted` among what was or will be passed from number `since` on."""

        def found() -> Passed | None:
            return next((passed for passed in self.passed[since:] if wanted(passed)), None)

        with self._changed:
            return self._changed.wait_for(found, limit_s)

    def runner(self) -> int | None:
        """The process that wrote last of a response."""
        skipped = ("", "beat")
        return next((passed.pid for passed in reversed(self.passed) if passed.name not in skipped), None)

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._listen, args=(wire,), daemon=True).start()

    def _listen(self, wire: socket.socket) -> None:
        try:
            with wire, wire.makefile() as lines:
                pid = json.loads(next(lines))["pid"]
                self.links[pid] = Link(pid, wire)
                for line in lines:
                    self._note(pid, json.loads(line))
        except (OSError, ValueError, StopIteration):
            pass  # a server that was killed leaves half a line

    def _note(self, pid: int, fact: dict[str, Any]) -> None:
        with self._changed:
            self.passed.append(Passed(pid, fact["when"], fact["name"], range(*fact["events"]), fact["held"]))
            self._changed.notify_all()
