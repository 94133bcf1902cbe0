"""Containers, their files, and who has them."""

import sqlalchemy as sa
from alembic import op

revision = "0002.4"
down_revision = "0002.3"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _containers()
    _files()
    _wake_ups()


def _containers() -> None:
    op.create_table(
        "container",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.Column("idle_minutes", sa.BigInteger, nullable=False),
        sa.Column("memory_limit", _TEXT, nullable=False),
        # JSON: domains that may be reached, and skills as pairs of id and version.
        sa.Column("domains", _TEXT, nullable=False),
        sa.Column("skills", _TEXT, nullable=False),
        # Secrets for those domains; never in clear.
        sa.Column("sealed", _TEXT),
        # The process that has its sandbox; the epoch grows whenever one takes it.
        sa.Column("holder", _TEXT),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        # A process that waits for it: the holder is to let go.
        sa.Column("wanted", _TEXT),
        # How many calls were made, and how many of them the saved variables know of.
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("saved_calls", sa.BigInteger, nullable=False),
        sa.Column("saved", _TEXT),
        # JSON: ids of the files that were copied into it.
        sa.Column("brought", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("container_owner", "container", ["owner", "created_at", "id"])
    op.create_index("container_used", "container", ["used_at"])
    held = sa.text("holder IS NOT NULL")
    op.create_index("container_holder", "container", ["holder"], sqlite_where=held, postgresql_where=held)


def _files() -> None:
    op.create_table(
        "container_file",
        sa.Column("container_id", _TEXT, primary_key=True),
        sa.Column("path", _TEXT, primary_key=True),
        sa.Column("id", _TEXT, nullable=False, unique=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        # Where the bytes are; another place with every change.
        sa.Column("place", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        # Bytes that are being written, or that no row names any more.
        "container_loose",
        sa.Column("place", _TEXT, primary_key=True),
        sa.Column("since", sa.Double, nullable=False, index=True),
        sqlite_with_rowid=False,
    )


def _wake_ups() -> None:
    """Who holds a container hears that it is wanted or deleted, and who waits for it that it is free."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION graphnexus_tell_container() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF OLD.holder IS NOT NULL AND (TG_OP = 'DELETE' OR NEW.wanted IS NOT NULL) THEN "
        "PERFORM pg_notify('graphnexus', OLD.holder); END IF; "
        "IF TG_OP = 'UPDATE' AND NEW.holder IS NULL THEN PERFORM pg_notify('graphnexus', NEW.id); END IF; "
        "RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER graphnexus_tell AFTER UPDATE OF holder, wanted OR DELETE ON container "
        "FOR EACH ROW EXECUTE FUNCTION graphnexus_tell_container()"
    )
