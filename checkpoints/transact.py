"""DBOS Transact, wrapped: queues on a database. Everything here blocks.

Importing this costs most of a second of CPU; `engine.py` does so in a thread, once the server serves.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Collection, Coroutine, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.event
import sqlalchemy.exc
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

from checkpoints.engine import Capacity, Depth, Lost, Notice, Work
from checkpoints.quiet import Quiet
from graph.errors import StoreUnavailable

#: Changes only when the arguments of a workflow do: processes of different versions of ours share the queues.
VERSION = "1"
#: A workflow that was begun this often and never came to an end is given up.
_ATTEMPTS = 8

_NAME = "graphnexus"
_SCHEMA = "dbos"
_MAKE, _TELL = "make", "tell"
_UNDER_WAY = ("ENQUEUED", "PENDING")
#: Seconds between two looks at a queue, in every process; each costs some 1.5 ms of CPU.
_BUSY_S = 0.1
_IDLE_S = 0.25
_TELL_S = 1.0
#: Notices on their way at once, per process.
_TELLING = 16
#: Ended workflows deleted in one transaction.
_TIDY = 500
#: What SQLAlchemy raises for a database that cannot be reached.
_AWAY = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)


class Transact:
    """DBOS in this process, of which there can be one. Raises `StoreUnavailable` when its database is out of reach."""

    def __init__(self, url: str, executor: str, capacity: Capacity) -> None:
        self._executor = executor
        self._capacity = capacity
        self._engine = _engine(url)
        self._looks_every_s = _IDLE_S
        self._status = sa.table(
            "workflow_status",
            *(sa.column(name, sa.Text) for name in ("workflow_uuid", "name", "status", "executor_id")),
            sa.column("created_at", sa.BigInteger),
            schema=None if self._engine.dialect.name == "sqlite" else _SCHEMA,
        )

    def launch(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        """Make the tables, and start to take work from the queues; it is done on `loop`."""
        with _reached(), self._engine.connect():
            pass
        log, quiet = logging.getLogger("dbos"), Quiet()
        if not log.handlers:
            log.addHandler(logging.NullHandler())  # or it would write to stderr by itself
        log.addFilter(quiet)
        logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(quiet)
        try:
            with _reached():
                self._begin(work, loop)
            log.removeFilter(quiet)
            log.addFilter(quiet)  # behind those of DBOS
        except BaseException:
            DBOS.destroy(destroy_registry=True)
            raise
        self._client = DBOSClient(
            system_database_engine=self._engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=_NAME,
            lazy=True,
            retry_connection_errors=False,
        )

    def _begin(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        _register(work, loop)
        self._dbos = DBOS(
            config={
                "name": _NAME,
                "system_database_engine": self._engine,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": VERSION,
                "executor_id": self._executor,
                "use_listen_notify": False,
                "log_level": "WARNING",
                "max_executor_threads": 8,
                "notification_listener_polling_interval_sec": 0.2,  # nothing is notified; closing waits for it
                "scheduler_polling_interval_sec": 3600.0,
            }
        )
        DBOS.listen_queues([_MAKE, _TELL] if self._capacity.telling else [_MAKE])
        DBOS.launch()
        self._listen()

    def _listen(self) -> None:
        DBOS.register_queue(
            _MAKE,
            worker_concurrency=self._capacity.running,
            partition_worker_concurrency=min(self._capacity.per_owner, self._capacity.running),
            polling_interval_sec=_IDLE_S,
            on_conflict="always_update",
        )
        if self._capacity.telling:
            DBOS.register_queue(
                _TELL, worker_concurrency=_TELLING, polling_interval_sec=_TELL_S, on_conflict="always_update"
            )

    def submit(self, response_id: str, owner: str, epoch: int) -> None:
        options: EnqueueOptions = {
            "workflow_name": _MAKE,
            "queue_name": _MAKE,
            "workflow_id": f"{response_id}-{epoch}",
            "queue_partition_key": owner,
            "app_version": VERSION,
        }
        with _reached():
            self._client.enqueue(options, response_id, owner)
            self._look_every(_BUSY_S)

    def tell(self, notice: Notice, delay_s: float) -> None:
        options: EnqueueOptions = {
            "workflow_name": _TELL,
            "queue_name": _TELL,
            "workflow_id": f"{notice.id}-{_digest(notice.to)}-{notice.attempt}",
            "app_version": VERSION,
        }
        if delay_s:
            options["delay_seconds"] = delay_s
        with _reached():
            self._client.enqueue(options, notice.id, notice.to, notice.body, notice.attempt)

    def recover(self, alive: Collection[str]) -> list[str]:
        """Put back into their queues what processes have begun that are not alive; gives those processes."""
        sql = sa.select(self._status.c.executor_id).where(self._status.c.status == "PENDING").distinct()
        dead = sorted(str(id) for (id,) in self._read(sql) if id not in alive)
        if dead:
            with _reached():
                # Has no public name; a test holds us to what it does.
                DBOS._recover_pending_workflows(dead)  # pyright: ignore[reportPrivateUsage]
        return dead

    def rest(self) -> None:
        """Look less often when no process has anything to do; whoever submits ends that."""
        columns = self._status.c
        sql = sa.select(columns.name).where(columns.name == _MAKE, columns.status.in_(_UNDER_WAY)).limit(1)
        if not self._read(sql):
            with _reached():
                self._look_every(_IDLE_S)

    def _look_every(self, seconds: float) -> None:
        if seconds != self._looks_every_s:
            self._looks_every_s = seconds
            if queue := DBOS.retrieve_queue(_MAKE):
                queue.set_polling_interval_sec(seconds)

    def missing(self, ids: Collection[str]) -> set[str]:
        """Those of the workflows that nothing is going to run."""
        columns = self._status.c
        sql = sa.select(columns.workflow_uuid).where(columns.status.in_(_UNDER_WAY))
        return set(ids) - {id for (id,) in self._read(sql)} if ids else set()

    def lost(self) -> list[Lost]:
        """What was begun too often, or has failed on a bug."""
        status = ["MAX_RECOVERY_ATTEMPTS_EXCEEDED", "ERROR"]
        with _reached():
            found = self._client.list_workflows(status=status, name=_MAKE, load_output=False)
        return [Lost(one.workflow_id, *one.input["args"]) for one in found if one.input]

    def forget(self, ids: Sequence[str]) -> None:
        with _reached():
            self._client.delete_workflows(list(ids))

    def tidy(self, older_than_s: float) -> int:
        """Delete what has ended that long ago; says how many."""
        before = datetime.fromtimestamp(time.time() - older_than_s, UTC).isoformat()
        ended = ["SUCCESS", "CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
        count = 0
        while True:
            with _reached():
                found = self._client.list_workflows(
                    status=ended, completed_before=before, limit=_TIDY, load_input=False, load_output=False
                )
            if found:
                self.forget([one.workflow_id for one in found])
            count += len(found)
            if len(found) < _TIDY:
                return count

    def depth(self) -> Depth:
        columns = self._status.c
        sql = (
            sa.select(columns.status, columns.executor_id, sa.func.count(), sa.func.min(columns.created_at))
            .where(columns.name == _MAKE, columns.status.in_(_UNDER_WAY))
            .group_by(columns.status, columns.executor_id)
        )
        rows = self._read(sql)
        oldest_ms = min((row[3] for row in rows if row[0] == "ENQUEUED"), default=None)
        return Depth(
            queued=sum(row[2] for row in rows if row[0] == "ENQUEUED"),
            oldest_s=max(0.0, time.time() - oldest_ms / 1000) if oldest_ms else 0.0,
            running=sum(row[2] for row in rows if row[0] == "PENDING" and row[1] == self._executor),
        )

    def _read(self, sql: sa.Executable) -> Sequence[Sequence[Any]]:
        with _reached(), self._engine.connect() as connection:
            return connection.execute(sql).fetchall()

    def drain(self) -> None:
        """Take no more work."""
        for event in self._dbos.background_thread_stop_events:
            event.set()

    def close(self) -> None:
        """What still runs is left as begun."""
        DBOS.destroy(destroy_registry=True)
        self._client.destroy()
        self._engine.dispose()


def _digest(address: str) -> str:
    return hashlib.blake2b(address.encode(), digest_size=8).hexdigest()


def _register(work: Work, loop: asyncio.AbstractEventLoop) -> None:
    """Say what is done with what is taken from the queues. DBOS runs this on a loop of its own."""

    async def done(task: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(task, loop))

    async def make(response_id: str, owner: str) -> None:
        await done(work.make(response_id, owner))

    async def tell(id: str, to: str, body: str, attempt: int) -> None:
        await done(work.tell(Notice(id, to, body, attempt)))

    DBOS.workflow(name=_MAKE, max_recovery_attempts=_ATTEMPTS)(make)
    DBOS.workflow(name=_TELL, max_recovery_attempts=None)(tell)


def _engine(url: str) -> sa.Engine:
    made = sa.make_url(url)
    if made.get_backend_name() != "sqlite":
        return sa.create_engine(
            made.set(drivername="postgresql+psycopg"),
            pool_size=4,
            max_overflow=8,
            pool_timeout=5,
            pool_pre_ping=True,
            # A process that was stopped in the middle of a transaction holds nobody up for longer.
            connect_args={"connect_timeout": 5, "options": "-c idle_in_transaction_session_timeout=5000"},
        )
    Path(made.database or "").touch(mode=0o600)
    engine = sa.create_engine(made, pool_size=4, max_overflow=4)
    sqlalchemy.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: object) -> None:
    """As DBOS does for an engine of its own; and a commit does not wait for the disk, since the store knows as well
    what is to be made.
    """
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("busy_timeout = 30000", "foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


@contextmanager
def _reached() -> Generator[None]:
    try:
        yield
    except _AWAY as error:
        raise StoreUnavailable("The queue of responses cannot be reached.", retry_after_s=2) from error
