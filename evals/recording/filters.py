"""`--filter model=…,tool=…,status=…,since=…,metadata.k=v` → the query of a list of stored responses."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from evals.unfit import Unfit

_NAMES = ("model", "tool", "status")
_TIMES = {"since": "created_after", "until": "created_before"}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([smhdw])")
#: A comma parts two filters only where the next one begins: a value may have commas.
_BETWEEN = re.compile(r",(?=[A-Za-z][\w.-]*=)")
_EXPECTED = "expected model=, tool=, status=, since=, until= or metadata.NAME=, with commas between"


def query_of(filters: Iterable[str], now: datetime | None = None) -> dict[str, str]:
    """Raises `Unfit`."""
    query = dict[str, str]()
    for part in (part for given in filters for part in _BETWEEN.split(given)):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise Unfit(f"--filter {part!r}: {_EXPECTED}.")
        key, wanted = _asked(name.strip(), value.strip(), now or datetime.now(UTC))
        if key in query:
            raise Unfit(f"--filter {part!r}: {name} is there twice; leave one out.")
        query[key] = wanted
    return query


def _asked(name: str, value: str, now: datetime) -> tuple[str, str]:
    if name in _NAMES:
        return name, value
    if name in _TIMES:
        return _TIMES[name], str(_moment(name, value, now))
    if name.startswith("metadata.") and name != "metadata.":
        return f"metadata[{name.removeprefix('metadata.')}]", value
    raise Unfit(f"--filter {name}={value}: there is no filter {name!r}; {_EXPECTED}.")


def _moment(name: str, value: str, now: datetime) -> int:
    """In Unix seconds."""
    if ago := _AGO.fullmatch(value):
        return int((now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp())
    if value.isdigit():
        return int(value)
    try:
        said = datetime.fromisoformat(value)
    except ValueError as problem:
        raise Unfit(
            f"--filter {name}={value}: expected an age (30m, 24h, 7d), a time (2026-11-23T08:00) or Unix seconds."
        ) from problem
    return int((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp())
