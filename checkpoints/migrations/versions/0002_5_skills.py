"""Skills of callers, in versions."""

import sqlalchemy as sa
from alembic import op

revision = "0002.5"
down_revision = "0002.4"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "skill",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("default_version", sa.BigInteger, nullable=False),
        # The number of the newest there has ever been.
        sa.Column("newest", sa.BigInteger, nullable=False),
        # Digest of one that came with a request, and is only there for its containers.
        sa.Column("inline", _TEXT),
        sqlite_with_rowid=False,
    )
    op.create_index("skill_owner", "skill", ["owner", "created_at", "id"])
    some = sa.text("inline IS NOT NULL")
    op.create_index("skill_inline", "skill", ["owner", "inline"], sqlite_where=some, postgresql_where=some)
    op.create_table(
        "skill_version",
        sa.Column("skill_id", _TEXT, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("id", _TEXT, nullable=False, unique=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        # Where its zip is.
        sa.Column("place", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
