"""Who makes which response, the events of a response, living processes, idempotency keys, and when things expire."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
#: Rows live in the primary key itself.
_CLUSTERED = {"sqlite_with_rowid": False}


def upgrade() -> None:
    _runs()
    _events()
    _expiry()
    _idempotency()
    _facts()
    _jobs()
    _wake_ups()


def _runs() -> None:
    """`beginning`, which knew of responses without a record, grows into what is known of every one being made."""
    op.drop_table("beginning")
    op.create_table(
        "worker",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("beat_at", sa.Double, nullable=False),
        **_CLUSTERED,
    )
    op.create_table(
        "run",
        sa.Column("response_id", _TEXT, primary_key=True),
        # Null while a background response waits for a process to make it.
        sa.Column("worker", _TEXT),
        # Grows whenever another takes the response over; who holds an older one writes nothing more.
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("background", sa.SmallInteger, nullable=False),
        # Whether events are kept: the run then ends with its last event, not with its last checkpoint.
        sa.Column("recorded", sa.SmallInteger, nullable=False),
        sa.Column("owner", _TEXT),
        # The caller's tool declarations, secrets included, sealed.
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("created_at", sa.Double, nullable=False),
        **_CLUSTERED,
    )
    op.create_index("run_worker", "run", ["worker"])
    op.create_table(
        "started_call",
        sa.Column("response_id", _TEXT, primary_key=True),
        sa.Column("item_id", _TEXT, primary_key=True),
        **_CLUSTERED,
    )
    op.add_column("conversation", sa.Column("worker", _TEXT))


def _events() -> None:
    op.create_table(
        "event",
        sa.Column("response_id", _TEXT, primary_key=True),
        # Number of the first of the events in `data`, whose frames stand one after another.
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        **_CLUSTERED,
    )


def _expiry() -> None:
    """Unix seconds."""
    op.add_column("response", sa.Column("expires_at", sa.BigInteger))
    expires = sa.text("expires_at IS NOT NULL")
    op.create_index("response_expires", "response", ["expires_at"], sqlite_where=expires, postgresql_where=expires)
    op.create_index("response_created", "response", ["created_at"])
    op.add_column("conversation", sa.Column("used_at", sa.BigInteger))
    now = int(time.time())  # nobody knows when a conversation was used before
    op.execute(sa.text("UPDATE conversation SET used_at = :now").bindparams(now=now))


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("owner", _TEXT, primary_key=True),
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("body_hash", sa.LargeBinary, nullable=False),
        sa.Column("response_id", _TEXT, nullable=False, index=True),
        # The process that took the key: when it dies before the response begins, the key is free again.
        sa.Column("worker", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        **_CLUSTERED,
    )


def _facts() -> None:
    """What is true of this database as a whole, such as which key seals what clients carry."""
    op.create_table(
        "fact",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("value", _TEXT, nullable=False),
        **_CLUSTERED,
    )


def _jobs() -> None:
    """What one process at a time does now and then, and when it last began."""
    op.create_table(
        "job",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("begun_at", sa.Double, nullable=False),
        **_CLUSTERED,
    )


def _wake_ups() -> None:
    """Whoever follows a response, in any process, hears when events of it are there, and when none will follow."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION graphnexus_tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_notify('graphnexus', COALESCE(NEW.response_id, OLD.response_id)); RETURN NULL; END $$"
    )
    for table, change in (("event", "INSERT OR UPDATE"), ("run", "DELETE")):
        op.execute(
            f"CREATE TRIGGER graphnexus_tell AFTER {change} ON {table} FOR EACH ROW EXECUTE FUNCTION graphnexus_tell()"
        )
