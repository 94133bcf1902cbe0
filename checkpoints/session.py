"""One transaction on a PostgreSQL connection, and what its failures mean.

Growth happens side by side, freeing alone. Transactions that only add or change rows run at once (READ COMMITTED):
where two of them meet, a unique key or a row lock decides. One that frees what others may refer to (chunks of the
log, blobs, threads) asks for `Rows.alone` and is begun anew when nothing else is being written, in any process.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from checkpoints.database import Found, Work
from graph.errors import StoreUnavailable

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]

#: Nobody else's number in a database that is shared with other programs: "GraphNex" in ASCII.
LOCK = 0x47726170684E6578
#: After this the server ends the session of a process that was stopped in the middle of a transaction.
_STALLED_MS = 2000
#: Milliseconds that everyone who writes may be held up by one who waits to be alone.
_ALONE_MS = 250

READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
GROW = f"BEGIN; SELECT pg_advisory_xact_lock_shared({LOCK})".encode()
FREE = (
    f"BEGIN; SET LOCAL lock_timeout = {_ALONE_MS}; SELECT pg_advisory_xact_lock({LOCK}); "
    "SET LOCAL lock_timeout TO DEFAULT"
).encode()
#: A plan made while a table is small must do when it is large: every one goes by an index.
_SESSION = f"""
SET idle_in_transaction_session_timeout = {_STALLED_MS};
SET lock_timeout = 2000;
SET statement_timeout = 30000;
SET client_encoding = 'UTF8';
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET jit = off
""".encode()

#: Two transactions were in each other's way: another attempt may well succeed.
CONFLICTS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    errors.LockNotAvailable,
)


class NotAlone(Exception):
    """What the work is about to do needs a transaction of the kind `FREE`."""


class Lost(Exception):
    """The connection broke, and what was begun on it is undone."""


class _Rows:
    def __init__(self, connection: Connection, alone: bool) -> None:
        self._connection = connection
        self._alone = alone

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Found:
        return self._connection.execute(_translated(sql), parameters, binary=True)

    def alone(self) -> None:
        if not self._alone:
            raise NotAlone


def configure(connection: Connection) -> None:
    """Make a new connection ready; with SET, since poolers refuse parameters at the start."""
    connection.execute(_SESSION)
    connection.prepared_max = 500
    connection.prepare_threshold = 2


def transact(connection: Connection, begin: bytes, work: Work[T]) -> T:
    """Do `work` between `begin` (`READ`, `GROW` or `FREE`) and COMMIT.

    Raises `Lost`, one of `CONFLICTS`, `NotAlone` or what the work raised: nothing is written then. Raises
    `StoreUnavailable` when it is not known whether it is.
    """
    try:
        connection.execute(begin)
        result = work(_Rows(connection, begin == FREE))
    except BaseException as error:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        if isinstance(error, psycopg.Error):
            raise _meaning(connection, error) from error
        raise
    if begin == READ:
        with suppress(psycopg.Error):  # what it was to find is found
            connection.execute("COMMIT")
    else:
        _commit(connection)
    return result


def _commit(connection: Connection) -> None:
    try:
        connection.execute("COMMIT")
    except errors.IdleInTransactionSessionTimeout as error:
        raise Lost from error
    except psycopg.OperationalError as error:
        message = "The database was lost while it wrote: whether it did is not known."
        raise StoreUnavailable(message, retry_after_s=1) from error


def _meaning(connection: Connection, error: psycopg.Error) -> Exception:
    if isinstance(error, CONFLICTS):
        return error
    if connection.broken or connection.closed or isinstance(error, errors.ReadOnlySqlTransaction):
        connection.close()  # a primary that has become a standby stays one
        return Lost()
    if isinstance(error, psycopg.OperationalError):
        return unavailable(error)
    return error


def unavailable(error: psycopg.Error) -> StoreUnavailable:
    """The server's own words: a full disk, too many connections, a statement that took too long."""
    words = error.diag.message_primary or "it cannot be reached"
    return StoreUnavailable(f"The database cannot be used at the moment: {words}.", retry_after_s=2)


@lru_cache(4096)
def _translated(sql: str) -> bytes:
    """Question marks stand for parameters only; no SQL of ours has one in a text."""
    return sql.replace("%", "%%").replace("?", "%s").encode()
