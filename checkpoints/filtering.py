"""Filters of callers → SQL on the attributes of files; see `graph.filters` for what they may say.

A comparison with an attribute that a file does not have, or that is of another type, is false; `ne` and `nin` are true
wherever `eq` and `in` are false.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from checkpoints.approval import plain
from graph.errors import Json

_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NEVER = "1 = 0"
_ALWAYS = "1 = 1"
#: Negation → what it negates.
_POSITIVE = {"ne": "eq", "nin": "in"}
_ROWS = "SELECT 1 FROM vector_store_attribute a WHERE a.store = f.store AND a.file_id = f.file_id AND a.key = ?"
#: PostgreSQL makes joins of such conditions, which takes it seconds for some hundred: not of those with an offset.
_MANY, _FENCE = 8, " LIMIT 1 OFFSET 0"


class Clause(NamedTuple):
    """A condition on `f`, a row of `vector_store_file`, and what it is given."""

    sql: str
    given: Sequence[Any] = ()


def clause(filters: Json | None) -> Clause:
    """`filters` as they were checked; None lets everything through."""
    if filters is None:
        return Clause(_ALWAYS)
    return _clause(filters, _FENCE if _comparisons(filters) > _MANY else "")


def _comparisons(filters: Json) -> int:
    return sum(map(_comparisons, filters["filters"])) if filters["type"] in ("and", "or") else 1


def _clause(filters: Json, end: str) -> Clause:
    """`end`: of what looks for attributes."""
    kind: str = filters["type"]
    if kind in ("and", "or"):
        return _joined(kind, [_clause(each, end) for each in filters["filters"]])
    found = _compared(_POSITIVE.get(kind, kind), filters["value"])
    sql = f"EXISTS ({_ROWS} AND {found.sql}{end})"
    return Clause(f"NOT {sql}" if kind in _POSITIVE else sql, [plain(filters["key"]), *found.given])


def _joined(kind: str, parts: Sequence[Clause]) -> Clause:
    """In halves: databases bound how deep a condition is."""
    if not parts:
        return Clause(_ALWAYS if kind == "and" else _NEVER)
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    one, other = _joined(kind, parts[:middle]), _joined(kind, parts[middle:])
    return Clause(f"({one.sql} {kind.upper()} {other.sql})", [*one.given, *other.given])


def _compared(kind: str, value: Any) -> Clause:
    if kind in ("in", "eq"):
        return _among(cast(list[Any], value) if kind == "in" else [value])
    if isinstance(value, bool):
        return Clause(_NEVER)  # there is no order in them
    column, value = _column(value)
    return Clause(f"a.{column} {_ORDER[kind]} ?", [value])


def _among(values: Sequence[Any]) -> Clause:
    sorts: dict[str, list[Any]] = {}
    for column, value in map(_column, values):
        sorts.setdefault(column, []).append(value)
    return _joined(
        "or", [Clause(f"a.{column} IN ({', '.join('?' * len(kept))})", kept) for column, kept in sorts.items()]
    )


def _column(value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "truth", int(value)
    return ("words", plain(value)) if isinstance(value, str) else ("number", float(value))
