"""The database under the servers, as the test sees it: restarted, asked, and searched for what must not be there."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests import postgres


class Database(Protocol):
    """`url` is empty when servers use the file in their own directory."""

    kind: str
    url: str
    #: Everything in it is in a file below.
    directory: Path

    def ask(self, sql: str) -> list[Any]: ...

    def restart(self) -> None: ...

    def close(self) -> None: ...


class Sqlite:
    kind = "sqlite"
    url = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def ask(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.directory / 'graphnexus.db'}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def restart(self) -> None:
        raise NotImplementedError("SQLite has no server.")

    def close(self) -> None: ...


class Postgres:
    kind = "postgresql"

    def __init__(self) -> None:
        self._server = postgres.Postgres()
        self.directory = self._server.directory
        self.url = self._server.url

    def ask(self, sql: str) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def restart(self) -> None:
        """Every connection breaks; it is back within a second or two."""
        self._server.stop()
        self._server.start()

    def close(self) -> None:
        self._server.close()


class SharedPostgres:
    """A database of the server that all tests share, which is not to be restarted."""

    kind = "postgresql"

    def __init__(self, path: Path) -> None:
        self.url = postgres.url_of(path)
        self.directory = Path(self.ask("SHOW data_directory")[0][0])

    def ask(self, sql: str) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def restart(self) -> None:
        raise NotImplementedError("Others use it.")

    def close(self) -> None: ...


def opened(kind: str, directory: Path) -> Database:
    match kind:
        case "sqlite":
            return Sqlite(directory / "a" / "kept")
        case "shared":
            return SharedPostgres(directory)
        case _:
            return Postgres()


def holding(directory: Path, secret: str) -> Sequence[Path]:
    """Files below with the secret in them."""
    return [path for path in directory.rglob("*") if path.is_file() and secret.encode() in _bytes(path)]


def _bytes(path: Path) -> bytes:
    """Empty when it has just been removed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
