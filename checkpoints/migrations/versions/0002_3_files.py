"""Files of callers, and uploads that come in parts."""

import sqlalchemy as sa
from alembic import op

revision = "0002.3"
down_revision = "0002.2"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _files()
    _uploads()


def _files() -> None:
    op.create_table(
        "file",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("filename", _TEXT, nullable=False),
        sa.Column("purpose", _TEXT, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        # Where the bytes are.
        sa.Column("place", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("file_owner", "file", ["owner", "created_at", "id"])
    _expiring("file")


def _uploads() -> None:
    op.create_table(
        "upload",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("filename", _TEXT, nullable=False),
        sa.Column("purpose", _TEXT, nullable=False),
        sa.Column("media_type", _TEXT, nullable=False),
        # As the caller has announced them.
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        # Seconds that the file is kept once it is whole.
        sa.Column("file_expires_s", sa.BigInteger),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("file_id", _TEXT),
        sqlite_with_rowid=False,
    )
    _expiring("upload")
    op.create_table(
        "upload_part",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("upload_id", _TEXT, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("place", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("upload_part_upload", "upload_part", ["upload_id"])


def _expiring(table: str) -> None:
    some = sa.text("expires_at IS NOT NULL")
    op.create_index(f"{table}_expires", table, ["expires_at"], sqlite_where=some, postgresql_where=some)
