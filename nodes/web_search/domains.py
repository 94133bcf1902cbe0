"""Domains that the caller lets be searched and read."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Domains:
    """Names in lower case; one covers the names below it, too."""

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def let(self, url: str) -> bool:
        host = _host(url)
        if not host or any(_within(host, name) for name in self.blocked):
            return False
        return not self.allowed or any(_within(host, name) for name in self.allowed)


def _within(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
