"""One page of a long list, read from where the last one ended."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")


class Page(NamedTuple):
    limit: int
    order: Literal["asc", "desc"]
    #: The id it begins behind.
    after: str | None = None
    #: The id it ends before; only one of both.
    before: str | None = None

    @property
    def turned(self) -> "Page":
        """What to read: with `before` it is read backwards, from there."""
        if self.before is None:
            return self
        return Page(self.limit, "desc" if self.order == "asc" else "asc", self.before)

    def arranged(self, found: Sequence[T]) -> list[T]:
        """What `turned` has found as it is shown; one more than the page holds still says that there are more."""
        shown, more = list(found[: self.limit]), list(found[self.limit :])
        return [*(shown[::-1] if self.before else shown), *more]


def keyset(page: Page, after: tuple[float, str] | None) -> tuple[str, tuple[Any, ...]]:
    """SQL that ends a SELECT by `created_at` and `id`, one row more than the page holds, and what it is given."""
    sign = ">" if page.order == "asc" else "<"
    beyond = f" AND (created_at, id) {sign} (?, ?)" if after else ""
    sql = f"{beyond} ORDER BY created_at {page.order}, id {page.order} LIMIT {page.limit + 1:d}"
    return sql, after or ()
