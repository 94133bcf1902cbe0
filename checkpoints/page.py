"""One page of a long list, read from where the last one ended."""

from typing import Any, Literal, NamedTuple


class Page(NamedTuple):
    limit: int
    order: Literal["asc", "desc"]
    #: The id it begins behind.
    after: str | None = None


def keyset(page: Page, after: tuple[float, str] | None) -> tuple[str, tuple[Any, ...]]:
    """SQL that ends a SELECT by `created_at` and `id`, one row more than the page holds, and what it is given."""
    sign = ">" if page.order == "asc" else "<"
    beyond = f" AND (created_at, id) {sign} (?, ?)" if after else ""
    sql = f"{beyond} ORDER BY created_at {page.order}, id {page.order} LIMIT {page.limit + 1:d}"
    return sql, after or ()
