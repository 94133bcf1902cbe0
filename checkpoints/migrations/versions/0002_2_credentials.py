"""What the operator was granted at servers of tools."""

import sqlalchemy as sa
from alembic import op

revision = "0002.2"
down_revision = "0002.1"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "credential",
        sa.Column("label", _TEXT, primary_key=True),
        # Tokens and the registration of the client; never in clear.
        sa.Column("sealed", _TEXT, nullable=False),
        # Another one with every write.
        sa.Column("stamp", _TEXT, nullable=False),
        # Until then one process renews them, and the others wait.
        sa.Column("renewing_until", sa.Double),
        sqlite_with_rowid=False,
    )
