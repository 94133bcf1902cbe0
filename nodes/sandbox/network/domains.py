"""Which hosts an allow-list covers: `example.com` itself, and with `*.example.com` every name beneath it."""

import re
from collections.abc import Iterable

_LABELS = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_ANY = "*."


def as_domain(entry: str) -> str:
    """An entry of an allow-list as it is compared: lower case, in letters of DNS.

    Raises `ValueError` for what is no domain: URLs, ports, addresses of IPv6, `*` alone.
    """
    star, name = (_ANY, entry[len(_ANY) :]) if entry.startswith(_ANY) else ("", entry)
    plain = as_host(name)
    if not _LABELS.fullmatch(plain) or (star and "." not in plain):
        raise ValueError(f"{entry[:260]!r} is no domain; `example.com` and `*.example.com` are.")
    return star + plain


def as_host(name: str) -> str:
    """A host as it is compared. Names of other alphabets are written as DNS has them."""
    name = name.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return ""


def covers(entries: Iterable[str], host: str) -> bool:
    """Whether one of `entries`, each as `as_domain` gives it, covers `host`."""
    host = as_host(host)
    return any(host.endswith(entry[1:]) if entry.startswith(_ANY) else host == entry for entry in entries)
