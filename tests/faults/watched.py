"""A `Database` whose transactions are named, told of, and stopped at."""

import threading
from concurrent.futures import Future
from typing import Any, TypeVar

from checkpoints.database import Database, Rows, Work
from tests.faults.agent import Agent
from tests.faults.naming import Seen

T = TypeVar("T")


class _NotYet(Exception):
    """Undoes a transaction that is to be stopped at before it begins."""


class Watched:
    """The database given, and an agent that is told what is written."""

    def __init__(self, database: Database, agent: Agent) -> None:
        self._database = database
        self._agent = agent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def write(self, work: Work[T]) -> Future[T]:
        return self._after_stopping(work) if self._agent.stops_before else self._write(work)

    def _write(self, work: Work[T]) -> Future[T]:
        seen: list[Seen] = []

        def watched(rows: Rows) -> T:
            seen[:] = [Seen(rows)]
            result = work(seen[0])
            self._agent.passes("within", seen[0])
            return result

        def committed(done: Future[T]) -> None:
            if not done.cancelled() and not done.exception():
                self._agent.passes("after", seen[0])

        writing = self._database.write(watched)
        writing.add_done_callback(committed)  # the first, so that whoever waits hears of it later
        return writing

    def _after_stopping(self, work: Work[T]) -> Future[T]:
        """What a transaction is shows only in its course: it is undone, then stopped at, then done in earnest."""
        outer: Future[T] = Future()
        seen: list[Seen] = []

        def probed(rows: Rows) -> T:
            seen[:] = [Seen(rows)]
            result = work(seen[0])
            if self._agent.stops_at("before", seen[0]):
                raise _NotYet
            return result

        def ended(done: Future[T]) -> None:
            if isinstance(done.exception(), _NotYet):
                threading.Thread(target=again, daemon=True).start()
                return
            if not done.exception():
                self._agent.passes("after", seen[0])
            _pass_on(done, outer)

        def again() -> None:
            self._agent.passes("before", seen[0])
            self._write(work).add_done_callback(lambda done: _pass_on(done, outer))

        self._database.write(probed).add_done_callback(ended)
        return outer


def _pass_on(done: Future[Any], outer: Future[Any]) -> None:
    if outer.cancelled():
        return
    if error := done.exception():
        outer.set_exception(error)
    else:
        outer.set_result(done.result())
