"""Who is calling, and whether this server may be reached that way."""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import urlsplit

from graph.errors import RequestError, Unauthorized
from server.settings import BadSetting, Settings, is_loopback

#: Owner of everything on a server without keys.
LOCAL = "local"

#: How long it is believed that no key was made yet, in seconds.
_TRUST_S = 5.0


class KeptKeys(Protocol):
    """The part of the key store that is needed here."""

    async def list(self) -> Sequence[object]:
        """Every key ever made, revoked ones too: revoking the last key does not open the server."""
        ...

    async def owner_of(self, secret: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Door:
    """What a server lets in while it has no keys."""

    #: Nobody, unless only this machine can reach it or the operator said so.
    open: bool
    #: Only requests addressed to this machine by name: a page that rebinds its own name to 127.0.0.1 is kept out.
    loopback: bool
    hosts: frozenset[str] = frozenset()
    #: Origins of web pages that may call, beside the server's own.
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            open=settings.loopback or settings.insecure,
            loopback=settings.loopback,
            hosts=frozenset(settings.allowed_hosts),
            origins=frozenset(settings.allowed_origins),
        )

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises `RequestError` (403) for a request that a foreign web page may have made."""
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if self.loopback and not is_loopback(name) and name not in self.hosts:
            raise _forbidden(f"This server answers to localhost only, not to '{name}'", "allowed_hosts")
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins and urlsplit(origin).netloc != host:
            raise _forbidden(f"Web pages of '{origin}' may not call this server", "allowed_origins")


class Gate:
    """Turns the headers of a request into the owner whose rows it may touch."""

    def __init__(self, api_keys: Mapping[str, str], kept: KeptKeys, door: Door) -> None:
        """`api_keys`: key → owner, as configured."""
        self._configured = [(_digest(key), owner) for key, owner in api_keys.items()]
        self._kept = kept
        self._door = door
        self._keyless_until = 0.0
        self._keyed = bool(self._configured)

    @classmethod
    def of(cls, settings: Settings, kept: KeptKeys) -> Self:
        return cls({k.key.get_secret_value(): k.owner for k in settings.api_keys}, kept, Door.of(settings))

    async def owner(self, headers: Mapping[str, str]) -> str:
        """Raises `Unauthorized` (401), and `RequestError` (403) for what a foreign web page asks of a keyless server.

        `headers` is looked up in lower case.
        """
        if self._door.open and not await self._has_keys():
            self._door.check(headers)
            return LOCAL
        scheme, _, key = headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized("No API key was provided: send it as 'Authorization: Bearer KEY'.")
        owner = self._configured_owner(key) or await self._kept.owner_of(key)
        if owner is None:
            raise Unauthorized("Incorrect API key provided.")
        return owner

    async def _has_keys(self) -> bool:
        """A server that has had keys keeps asking for one."""
        if not self._keyed and time.monotonic() >= self._keyless_until:
            self._keyed = bool(await self._kept.list())
            self._keyless_until = time.monotonic() + _TRUST_S
        return self._keyed

    def _configured_owner(self, key: str) -> str | None:
        """Compares with every key, in a time that says nothing about any."""
        digest = _digest(key)
        owners = [owner for known, owner in self._configured if hmac.compare_digest(known, digest)]
        return owners[0] if owners else None


def check_reach(settings: Settings, has_kept_keys: Callable[[], bool]) -> None:
    """Raises `BadSetting` when other machines could reach a server that asks for no key."""
    if not (settings.loopback or settings.insecure or settings.api_keys or has_kept_keys()):
        raise BadSetting(
            f"host: {settings.host} can be reached from other machines and there are no API keys: make one with "
            "`graphnexus keys create OWNER`, or let everyone in with --insecure"
        )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def _forbidden(what: str, setting: str) -> RequestError:
    message = f"{what}; the setting `{setting}` can allow it."
    return RequestError(message, status=403, type="permission_error", code=setting.replace("allowed_", "foreign_"))
