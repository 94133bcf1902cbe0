"""Vector stores, their files, and the index they are searched by."""

import sqlalchemy as sa
from alembic import op

revision = "0002.6"
down_revision = "0002.5"
branch_labels = None
depends_on = None

#: Compared byte by byte, as SQLite does, whatever the language of the database.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
#: Counted up by the database; in SQLite only an INTEGER is.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _stores()
    _files()
    _attributes()
    _batches()
    _windows()
    _words()
    _outbox()


def _stores() -> None:
    op.create_table(
        "vector_store",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", _TEXT, nullable=False, unique=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("description", _TEXT),
        # JSON.
        sa.Column("metadata", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.Column("expires_days", sa.BigInteger),
        # Numbers of stores that have gone are never used again: words of the index begin with them.
        sqlite_autoincrement=True,
    )
    op.create_index("vector_store_owner", "vector_store", ["owner", "created_at", "id"])


def _files() -> None:
    op.create_table(
        "vector_store_file",
        sa.Column("store", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("file_id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("filename", _TEXT, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("error_code", _TEXT),
        sa.Column("error_message", _TEXT),
        sa.Column("usage_bytes", sa.BigInteger, nullable=False),
        # JSON; the rows of `vector_store_attribute` say the same.
        sa.Column("attributes", _TEXT, nullable=False),
        sa.Column("chunk_tokens", sa.BigInteger, nullable=False),
        sa.Column("chunk_overlap", sa.BigInteger, nullable=False),
        # The edition that searches find; none before the first is whole.
        sa.Column("edition", sa.BigInteger),
        # The edition that is being made, and by which process. A file in progress without one waits.
        sa.Column("making", sa.BigInteger),
        sa.Column("worker", _TEXT),
        # How often it was begun and not brought to an end.
        sa.Column("tries", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("vector_store_file_made", "vector_store_file", ["store", "created_at", "file_id"])
    op.create_index("vector_store_file_file", "vector_store_file", ["file_id"])
    op.create_index("vector_store_file_edition", "vector_store_file", ["edition"])
    due = sa.text("status = 'in_progress'")
    op.create_index(
        "vector_store_file_due", "vector_store_file", ["created_at"], sqlite_where=due, postgresql_where=due
    )


def _attributes() -> None:
    op.create_table(
        "vector_store_attribute",
        sa.Column("store", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("file_id", _TEXT, primary_key=True),
        # One of these: text, a number, or 0 and 1 of a truth value.
        sa.Column("words", _TEXT),
        sa.Column("number", sa.Double),
        sa.Column("truth", sa.BigInteger),
        sqlite_with_rowid=False,
    )


def _batches() -> None:
    op.create_table(
        "vector_store_batch",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("store", sa.BigInteger, nullable=False, index=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("cancelled", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "vector_store_batch_file",
        sa.Column("batch_id", _TEXT, primary_key=True),
        sa.Column("file_id", _TEXT, primary_key=True),
        sqlite_with_rowid=False,
    )


def _windows() -> None:
    op.create_table(
        # An attempt at making a file searchable.
        "search_edition",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("store", sa.BigInteger, nullable=False, index=True),
        sa.Column("file_id", _TEXT, nullable=False),
        sa.Column("worker", _TEXT),
        # Its windows, and the words of all of them.
        sa.Column("windows", sa.BigInteger, nullable=False),
        sa.Column("words", sa.BigInteger, nullable=False),
        sa.Column("chunk_windows", sa.BigInteger, nullable=False),
        sa.Column("shared_windows", sa.BigInteger, nullable=False),
        # JSON.
        sa.Column("languages", _TEXT, nullable=False),
        # The embedder its vectors are of.
        sa.Column("space", _TEXT),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "search_window",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("edition", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        # How many words it has.
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("search_window_place", "search_window", ["edition", "position"], unique=True)
    op.create_table(
        "search_vector",
        sa.Column("edition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("space", _TEXT, primary_key=True),
        sa.Column("window", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _words() -> None:
    """Which windows have which words. A word begins with the number of its store: `7xword`."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE search_words USING fts5(words, "
            "tokenize = \"unicode61 remove_diacritics 0 categories 'L* N* Co M*'\")"
        )
        op.execute("CREATE VIRTUAL TABLE search_word USING fts5vocab(search_words, 'instance')")
        op.execute("CREATE VIRTUAL TABLE search_term USING fts5vocab(search_words, 'row')")
        return
    op.execute("CREATE TABLE search_words (id BIGINT PRIMARY KEY, words TEXT[] NOT NULL, counts SMALLINT[] NOT NULL)")
    op.execute("CREATE INDEX search_words_word ON search_words USING gin (words) WITH (fastupdate = off)")


def _outbox() -> None:
    op.create_table(
        # Editions whose vectors the index beside the database does not have yet, or has to forget.
        "search_outbox",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("store", sa.BigInteger, nullable=False),
        sa.Column("edition", sa.BigInteger, nullable=False),
        sa.Column("space", _TEXT, nullable=False),
        sa.Column("gone", sa.BigInteger, nullable=False),
        # The process that is telling it.
        sa.Column("worker", _TEXT),
        sqlite_autoincrement=True,
    )
    op.create_index("search_outbox_edition", "search_outbox", ["edition"])
