"""Brings a database to the newest schema with Alembic. Imported only when it is not there already: it loads slowly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.event
from alembic import command
from alembic.config import Config

from checkpoints.session import LOCK


def migrate(url: str, connect: Callable[[], Any] | None = None) -> None:
    """Run what is missing, in one transaction; a second process that comes meanwhile waits, then has nothing to do.

    `connect` makes the connection, where the URL alone does not say how.
    """
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, **({"creator": connect} if connect else {}))
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "connect", _leave_transactions_to_us)
        sqlalchemy.event.listen(engine, "begin", _begin_immediate)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def _leave_transactions_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
