"""Threads, checkpoints, the item log, responses, conversations and keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: A serial number that is never given twice.
_NUMBERED = {"sqlite_autoincrement": True}
#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
#: Rows live in the primary key itself.
_CLUSTERED = {"sqlite_with_rowid": False}


def upgrade() -> None:
    _checkpoints()
    _item_log()
    _blobs()
    _responses()
    _conversations()
    _keys()


def _key() -> sa.Column[int]:
    return sa.Column("key", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _checkpoints() -> None:
    op.create_table("thread", _key(), sa.Column("id", _TEXT, nullable=False, unique=True), **_NUMBERED)
    op.create_table(
        "checkpoint",
        _key(),
        sa.Column("thread", sa.BigInteger, nullable=False),
        sa.Column("ns", _TEXT, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("parent_id", _TEXT),
        sa.Column("run_id", _TEXT),
        sa.Column("response_id", _TEXT),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        **_NUMBERED,
    )
    op.create_index("checkpoint_address", "checkpoint", ["thread", "ns", "id"], unique=True)
    for column in ("run_id", "response_id"):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"checkpoint_{column}", "checkpoint", [column], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "write",
        sa.Column("thread", sa.BigInteger, primary_key=True),
        sa.Column("ns", _TEXT, primary_key=True),
        sa.Column("checkpoint_id", _TEXT, primary_key=True),
        sa.Column("task_id", _TEXT, primary_key=True),
        sa.Column("idx", sa.Integer, primary_key=True),
        sa.Column("task_path", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        **_CLUSTERED,
    )


def _item_log() -> None:
    op.create_table(
        "lineage",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("parent", sa.BigInteger, index=True),
        sa.Column("fork_at", sa.BigInteger, nullable=False),
        sa.Column("epoch", _TEXT, nullable=False),
        sa.Column("closed", sa.SmallInteger, nullable=False),
        **_NUMBERED,
    )
    op.create_table(
        "log",
        sa.Column("lineage", sa.BigInteger, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        **_CLUSTERED,
    )
    op.create_table(
        "log_ref",
        sa.Column("lineage", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.BigInteger, primary_key=True),
        sa.Column("checkpoint", sa.BigInteger, primary_key=True),
        sa.Column("channel", _TEXT, primary_key=True),
        **_CLUSTERED,
    )


def _blobs() -> None:
    op.create_table(
        "blob",
        sa.Column("hash", _TEXT, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "blob_ref",
        sa.Column("hash", _TEXT, primary_key=True),
        sa.Column("checkpoint", sa.BigInteger, primary_key=True),
        **_CLUSTERED,
    )


def _responses() -> None:
    op.create_table(
        "response",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("checkpoint", sa.BigInteger, nullable=False, index=True),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("previous_response_id", _TEXT),
        sa.Column("conversation_id", _TEXT),
        # As the checkpoint has it when null; otherwise what a restart made of it.
        sa.Column("record", sa.LargeBinary),
        **_CLUSTERED,
    )
    unfinished = sa.text("status IN ('queued', 'in_progress')")
    op.create_index("response_unfinished", "response", ["status"], sqlite_where=unfinished, postgresql_where=unfinished)
    # Runs that have a checkpoint and no record yet.
    op.create_table("beginning", sa.Column("response_id", _TEXT, primary_key=True), **_CLUSTERED)


def _conversations() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("thread_id", _TEXT, nullable=False),
        sa.Column("checkpoint", sa.BigInteger, index=True),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("holder", _TEXT),
        **_CLUSTERED,
    )
    locked = sa.text("holder IS NOT NULL")
    op.create_index("conversation_holder", "conversation", ["holder"], sqlite_where=locked, postgresql_where=locked)


def _keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("label", _TEXT, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
