"""Filters on attributes of files, as callers write them: which may be, and what is wrong with others.

`{type: eq|ne|gt|gte|lt|lte|in|nin, key, value}` and `{type: and|or, filters: […]}`, nested.
Source: CONTRACT of the Responses API, "Side resources"; openai.types.shared.ComparisonFilter and CompoundFilter.
"""

from collections import Counter
from typing import Any, cast

from graph.errors import Json, RequestError

_ONE = ("eq", "ne", "gt", "gte", "lt", "lte")
_SEVERAL = ("in", "nin")
_JOINED = ("and", "or")
#: Of `in` and `nin`: in one, and in all together.
_VALUES, _ALL_VALUES = 500, 2000
_DEPTH, _FILTERS = 16, 200
_LARGEST = 1e308


def check(filters: Any, param: str) -> None:
    """Raises `RequestError` at or below `param`."""
    counted = Counter[str]()
    _check(filters, param, _DEPTH, counted)
    for what, most in (("filters", _FILTERS), ("values", _ALL_VALUES)):
        if counted[what] > most:
            raise _invalid(f"Invalid '{param}': it has {counted[what]} {what}, and may have {most}.", param)


def _check(given: Any, param: str, depth: int, counted: Counter[str]) -> None:
    if not isinstance(given, dict):
        raise _type(param, "an object")
    filters, kind = cast(Json, given), cast(Json, given).get("type")
    counted["filters"] += 1
    if kind in _JOINED:
        if depth == 0:
            raise _invalid(f"Invalid '{param}': filters are nested more than {_DEPTH} deep.", param)
        for at, one in enumerate(_list(filters.get("filters"), f"{param}.filters")):
            _check(one, f"{param}.filters[{at}]", depth - 1, counted)
        return
    if not isinstance(kind, str) or kind not in (*_ONE, *_SEVERAL):
        names = ", ".join(f"'{name}'" for name in (*_ONE, *_SEVERAL, *_JOINED))
        raise _invalid(f"Invalid value: {str(kind)[:100]!r}. Supported values are: {names}.", f"{param}.type")
    if not isinstance(filters.get("key"), str):
        raise _type(f"{param}.key", "a string")
    _check_value(kind, filters.get("value"), f"{param}.value")
    counted["values"] += len(filters["value"]) if kind in _SEVERAL else 1


def _check_value(kind: str, value: Any, param: str) -> None:
    if kind in _SEVERAL:
        values = _list(value, param)
        if len(values) > _VALUES:
            raise _invalid(f"Invalid '{param}': array too long. Expected a maximum length of {_VALUES}.", param)
        for at, one in enumerate(values):
            _check_single(one, f"{param}[{at}]")
    else:
        _check_single(value, param)


def _check_single(value: Any, param: str) -> None:
    if not isinstance(value, str | int | float):
        raise _type(param, "a string, a number or a boolean")
    if not isinstance(value, str) and abs(value) > _LARGEST:
        raise _invalid(f"Invalid '{param}': the number is too large.", param)


def _list(given: Any, param: str) -> list[Any]:
    if not isinstance(given, list):
        raise _type(param, "an array")
    return cast(list[Any], given)


def _type(param: str, wanted: str) -> RequestError:
    return RequestError(f"Invalid type for '{param}': expected {wanted}.", param=param, code="invalid_type")


def _invalid(message: str, param: str) -> RequestError:
    return RequestError(message, param=param, code="invalid_value")
