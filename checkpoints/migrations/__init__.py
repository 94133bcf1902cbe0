"""Brings a database to the newest schema with Alembic. Imported only when it is not there already: it loads slowly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.event
import sqlalchemy.exc
from alembic import command
from alembic.config import Config

from checkpoints.database import Unusable
from checkpoints.session import LOCK
from graph.errors import StoreUnavailable


def migrate(url: str, connect: Callable[[], Any] | None = None) -> None:
    """Run what is missing, in one transaction; a second process that comes meanwhile waits, then has nothing to do.

    `connect` makes the connection, where the URL alone does not say how. Raises `Unusable` and `StoreUnavailable`.
    """
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, **({"creator": connect} if connect else {}))
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "connect", _leave_transactions_to_us)
        sqlalchemy.event.listen(engine, "begin", _begin_immediate)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sqlalchemy.exc.DBAPIError as error:
        raise _meaning(error) from error
    finally:
        engine.dispose()


def _meaning(error: sqlalchemy.exc.DBAPIError) -> Exception:
    """A table of one of our names, or no right to make any; or a server that went away."""
    words = str(error.orig).strip().splitlines()[0].rstrip(".")
    if error.connection_invalidated:
        return StoreUnavailable(f"The database was lost while it was migrated: {words}.", retry_after_s=2)
    return Unusable(f"The database cannot be given the tables of this version: {words}. It was left as it was.")


def _leave_transactions_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
