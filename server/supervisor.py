"""Several processes on one listening socket: started, watched, replaced and stopped by one that does nothing else.

uvicorn's own supervisor gives up for good when a process cannot start again, as while the database is away, and starts
a process that dies at once over and over.
"""

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

logger = logging.getLogger(__name__)

#: Says on the line that a process serves; every later word says that its event loop turns.
READY = b"ready"
WORD_EVERY_S = 1.0

#: Not forked: threads and sockets of libraries do not outlive a fork.
SPAWN = multiprocessing.get_context("spawn")

#: A process that says nothing for so long hangs; what it made has long been taken over.
_SILENT_S = 60.0
_LONGEST_PAUSE_S = 10.0
#: Who has lived that long did not die of its start.
_SETTLED_S = 60.0
_LOOK_EVERY_S = 0.5

#: Makes a process, not started yet: with its end of the line, and whether it is the very first.
Make = Callable[[Connection, bool], SpawnProcess]


@dataclass(eq=False, slots=True)
class Worker:
    process: SpawnProcess
    line: Connection
    born_at: float
    heard_at: float
    ready: bool = False
    #: To be replaced by a fresh one.
    old: bool = False
    #: Killed at this time; None while it is to stay.
    until: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Keeps `count` processes serving. SIGTERM and SIGINT stop all; SIGHUP replaces one after another."""

    count: int
    make: Make
    #: Seconds a process may take to stop.
    patience_s: float
    #: Told of every process that has ended.
    buried: Callable[[int], None]
    _workers: list[Worker] = field(default_factory=list[Worker])
    _stopping: bool = False
    _served: bool = False
    _status: int = 0
    _deaths: int = 0
    _not_before: float = 0.0

    def run(self) -> int:
        """Blocks until told to stop, or until the first processes cannot start. Gives the exit status."""
        mine, signalled = socket.socketpair()
        mine.setblocking(False)
        signal.set_wakeup_fd(mine.fileno(), warn_on_full_buffer=False)
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, self._stop)
        signal.signal(signal.SIGHUP, self._renew)
        while not self._stopping or self._workers:
            if self._stopping:
                self._retire_all()
            else:
                self._fill()
            self._hear(signalled)
            self._bury()
            self._kill_the_overdue()
        return self._status

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _renew(self, *_: object) -> None:
        for worker in self._workers:
            worker.old = True

    def _retire(self, worker: Worker) -> None:
        if worker.until is None:
            worker.until = time.monotonic() + self.patience_s
            worker.process.terminate()

    def _retire_all(self) -> None:
        for worker in self._workers:
            self._retire(worker)

    @property
    def _staying(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.until is None]

    def _fill(self) -> None:
        """One more than needed while one is to be replaced: the old one goes when the new one serves."""
        old = [worker for worker in self._staying if worker.old]
        if old and len(self._staying) > self.count and all(worker.ready for worker in self._staying):
            self._retire(old[0])
        wanted = self.count + any(worker.old for worker in self._staying)
        while len(self._staying) < wanted and time.monotonic() >= self._not_before:
            self._start()

    def _start(self) -> None:
        ours, theirs = SPAWN.Pipe()
        process = self.make(theirs, not self._served and not self._workers)
        process.start()
        theirs.close()  # so that the line breaks when the process dies
        now = time.monotonic()
        self._workers.append(Worker(process, ours, now, now))

    def _hear(self, signalled: socket.socket) -> None:
        """Wait until a process says a word or dies, a signal comes, or a moment has passed."""
        lines = {worker.line: worker for worker in self._workers}
        sentinels = [worker.process.sentinel for worker in self._workers]
        for told in wait([*lines, *sentinels, signalled], _LOOK_EVERY_S):
            if told is signalled:
                signalled.recv(64)
            elif isinstance(told, Connection):
                self._listen(lines[told])

    def _listen(self, worker: Worker) -> None:
        try:
            word = worker.line.recv_bytes()
        except (EOFError, OSError):
            return worker.process.join(_LOOK_EVERY_S)  # it is dying: its sentinel says so next
        worker.heard_at = time.monotonic()
        if word == READY:
            worker.ready = self._served = True

    def _bury(self) -> None:
        for worker in [worker for worker in self._workers if not worker.process.is_alive()]:
            self._workers.remove(worker)
            worker.line.close()
            if worker.until is None and not self._stopping:
                self._mourn(worker)
            self.buried(worker.process.pid or 0)

    def _mourn(self, worker: Worker) -> None:
        """A process died that was not told to: another follows, after a pause that grows with every death."""
        status = worker.process.exitcode or 0
        if not self._served:
            self._status = status if status > 0 else 1
            return self._stop()
        settled = time.monotonic() - worker.born_at > _SETTLED_S
        self._deaths = 1 if settled else self._deaths + 1
        pause_s = min(_LONGEST_PAUSE_S, 0.1 * 2**self._deaths)
        self._not_before = time.monotonic() + pause_s
        facts = {"pid": worker.process.pid, "status": status, "pause_s": pause_s}
        logger.error("A process died; another takes its place", extra=facts)

    def _kill_the_overdue(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            overdue = worker.until is not None and now > worker.until
            if overdue or (worker.ready and now - worker.heard_at > _SILENT_S):
                worker.process.kill()
