"""Calls that wait for an approval, and what was decided."""

import sqlalchemy as sa
from alembic import op

revision = "0002.1"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "approval",
        sa.Column("owner", _TEXT, primary_key=True),
        # As the item that asks; of one that a caller brought along anything.
        sa.Column("id", _TEXT, primary_key=True),
        # The response that asks; null where only the caller keeps it.
        sa.Column("response_id", _TEXT, index=True),
        sa.Column("server_label", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("arguments", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        # 1 is yes, 0 no, null not decided.
        sa.Column("approve", sa.SmallInteger),
        sa.Column("reason", _TEXT),
        # JSON: what the server may be told should it ask for values.
        sa.Column("given", _TEXT),
        # Whether it was decided in a request or at the endpoint.
        sa.Column("door", _TEXT),
        sa.Column("decided_at", sa.Double),
        # The item of the one call that is made upon it.
        sa.Column("item_id", _TEXT),
        # Where the asking response was made in the background: its tool declarations, secrets included, sealed, until
        # all its requests are decided, and the response that then goes on by itself.
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("next_response_id", _TEXT),
        sqlite_with_rowid=False,
    )
    pending = sa.text("approve IS NULL")
    op.create_index(
        "approval_pending", "approval", ["owner", "created_at"], sqlite_where=pending, postgresql_where=pending
    )
    due = sa.text("next_response_id IS NOT NULL AND sealed IS NOT NULL")
    op.create_index("approval_due", "approval", ["next_response_id"], sqlite_where=due, postgresql_where=due)
