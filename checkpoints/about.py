"""What an operator wants to know of a PostgreSQL before it is used; nothing is changed."""

from dataclasses import dataclass
from typing import Any

import psycopg

from graph.errors import StoreUnavailable

_TIMEOUT_S = 5
_ASKED = """
SELECT current_setting('server_version'), CAST(current_setting('max_connections') AS INTEGER),
       (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       to_regclass('alembic_version') IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class About:
    #: As `16.4`.
    version: str
    #: Of our tables; None before the first start.
    schema: str | None
    max_connections: int
    connections: int


def about(url: str) -> About:
    """Blocks. Raises `StoreUnavailable`."""
    try:
        with psycopg.connect(url, connect_timeout=_TIMEOUT_S, application_name="graphnexus") as connection:
            version, most, connections, ours = _row(connection, _ASKED)
            schema = _row(connection, "SELECT version_num FROM alembic_version")[0] if ours else None
    except psycopg.Error as error:
        raise StoreUnavailable(str(error).strip().splitlines()[0].rstrip(".")) from error
    return About(version.partition(" ")[0], schema, most, connections)


def _row(connection: psycopg.Connection[Any], sql: str) -> tuple[Any, ...]:
    return connection.execute(sql.encode()).fetchone() or (None,)
