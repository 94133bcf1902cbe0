"""Writes of one process, in the order given, several to a transaction."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from checkpoints.database import Work
from graph.errors import StoreUnavailable

T = TypeVar("T")

#: Writes in one transaction at most.
_BATCH = 64
#: A write's way to the database, in one transaction; raises what the work raised.
Transact = Callable[[Work[list[Any]]], list[Any]]


class _Write(NamedTuple):
    work: Work[Any]
    done: Future[Any]
    until: float


class Writes:
    """Writes that wait for each other share a transaction; one that fails is undone alone.

    One that has waited for `patience_s` fails with `StoreUnavailable`.
    """

    def __init__(self, transact: Transact, patience_s: float) -> None:
        self._transact = transact
        self._patience_s = patience_s
        self._waiting: deque[_Write] = deque()
        #: Held by the thread that writes. The other one waits for it no longer than the first write in line does.
        self._turn = Lock()
        #: Held while the line gets shorter.
        self._line = Lock()
        self._threads = ThreadPoolExecutor(2, "store-writer")

    def add(self, work: Work[T]) -> Future[T]:
        done: Future[T] = Future()
        self._waiting.append(_Write(work, done, time.monotonic() + self._patience_s))
        self._threads.submit(self._next)
        return done

    def between(self, act: Callable[[], T]) -> Future[T]:
        """Do something while nothing is written."""

        def alone() -> T:
            with self._turn:
                return act()

        return self._threads.submit(alone)

    def close(self) -> None:
        """Waits for the writes given so far."""
        self._threads.shutdown()

    def _next(self) -> None:
        try:
            patience_s = self._waiting[0].until - time.monotonic()
        except IndexError:  # written together with others
            return
        if not self._turn.acquire(timeout=max(patience_s, 0)):
            return self._give_up()
        try:
            batch = self._take()
            if batch and not self._write_all(batch):
                for write in batch:
                    self._write_all([write])
        finally:
            self._turn.release()

    def _take(self) -> list[_Write]:
        taken: list[_Write] = []
        with self._line:
            while self._waiting and len(taken) < _BATCH:
                write = self._waiting.popleft()
                if write.done.set_running_or_notify_cancel():
                    taken.append(write)
        return taken

    def _give_up(self) -> None:
        now = time.monotonic()
        late: list[_Write] = []
        with self._line:
            while self._waiting and self._waiting[0].until <= now:
                late.append(self._waiting.popleft())
        for write in late:
            if write.done.set_running_or_notify_cancel():
                write.done.set_exception(StoreUnavailable("The store is busy with other writes.", retry_after_s=1))

    def _write_all(self, batch: Sequence[_Write]) -> bool:
        """In one transaction; False when one of several failed and none is written."""
        try:
            results = self._transact(lambda rows: [write.work(rows) for write in batch])
        except Exception as error:  # whatever it is, it belongs to whoever waits for it
            if len(batch) > 1 and not isinstance(error, StoreUnavailable):
                return False
            for write in batch:
                write.done.set_exception(error)
        else:
            for write, result in zip(batch, results, strict=True):
                write.done.set_result(result)
        return True
