"""Which windows have which words. A word begins with the number of its store: `7xword`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from checkpoints.database import Rows
from checkpoints.many import insert

#: Windows with a word, and how often each has it.
Postings = Sequence[tuple[int, int]]
#: What a column of small numbers holds.
_MOST = 32_767


class Lexicon(Protocol):
    """Databases differ in how they index words; each has one."""

    def add(self, rows: Rows, windows: Mapping[int, Sequence[str]]) -> None: ...

    def remove(self, rows: Rows, windows: Sequence[int]) -> None: ...

    def spread(self, rows: Rows, word: str) -> int:
        """Windows that have it, about."""
        ...

    def postings(self, rows: Rows, word: str) -> Postings: ...


class Fts5:
    """SQLite's. Words hold letters and digits alone, which is what its tokenizer keeps together."""

    def add(self, rows: Rows, windows: Mapping[int, Sequence[str]]) -> None:
        insert(rows, "search_words (rowid, words)", [(window, " ".join(words)) for window, words in windows.items()])

    def remove(self, rows: Rows, windows: Sequence[int]) -> None:
        for window in windows:
            rows.execute("DELETE FROM search_words WHERE rowid = ?", (window,))

    def spread(self, rows: Rows, word: str) -> int:
        found = rows.execute("SELECT doc FROM search_term WHERE term = ?", (word,)).fetchone()
        return found[0] if found else 0

    def postings(self, rows: Rows, word: str) -> Postings:
        return rows.execute("SELECT doc, COUNT(*) FROM search_word WHERE term = ? GROUP BY doc", (word,)).fetchall()


class Gin:
    """PostgreSQL's: an array of words a window, and beside it how often each is there."""

    def add(self, rows: Rows, windows: Mapping[int, Sequence[str]]) -> None:
        counted = {window: Counter(words) for window, words in windows.items()}
        values = [(id, list(of), [min(count, _MOST) for count in of.values()]) for id, of in counted.items()]
        insert(rows, "search_words (id, words, counts)", values)

    def remove(self, rows: Rows, windows: Sequence[int]) -> None:
        rows.execute("DELETE FROM search_words WHERE id = ANY(?)", (list(windows),))

    def spread(self, rows: Rows, word: str) -> int:
        found = rows.execute("SELECT COUNT(*) FROM search_words WHERE words @> ARRAY[?]", (word,)).fetchone()
        return found[0]

    def postings(self, rows: Rows, word: str) -> Postings:
        sql = "SELECT id, counts[array_position(words, ?)] FROM search_words WHERE words @> ARRAY[?]"
        return rows.execute(sql, (word, word)).fetchall()
