"""Tokens for servers of the operator's: shown to the server they are for, renewed before they expire or when refused.

Nothing here asks a person: who has to say yes does so in `graphnexus mcp login`, whose outcome is found in the vault.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Literal, Protocol

import httpx

from graph.errors import StoreUnavailable
from nodes.mcp.failure import ServerFailed
from nodes.mcp.oauth.credential import Credential, OAuth, Vault
from nodes.mcp.oauth.wire import OAuthFailed, Refused, Wire

#: How long a token is believed to be the one that is kept without asking the database again.
_TRUST_S = 2.0
#: How long, beyond the authorization server's time to answer, one process has to renew a token before another tries.
_KEEPING_S = 15.0
#: How often the others look.
_LOOK_S = 0.1
#: How many tokens are remembered, to be taken out of what a server repeats.
_SHOWN = 4
#: Pauses between attempts to keep what was granted: it is not granted again.
_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 4.0)
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e ]{1,200}")


@dataclass(frozen=True, slots=True)
class Entrance:
    """A server and how it is entered."""

    label: str
    url: str
    oauth: OAuth

    @property
    def remedy(self) -> str:
        return f"Run `graphnexus mcp login {self.label}`."

    def wire(self, timeout_s: float) -> Wire:
        return Wire((self.url, *self.oauth.urls), timeout_s)


class Said(Protocol):
    """The `oauth` of a `[[mcp_server]]`."""

    @property
    def grant(self) -> Literal["authorization_code", "client_credentials"]: ...
    @property
    def id(self) -> str | None: ...
    @property
    def secret(self) -> str | None: ...
    @property
    def scopes(self) -> tuple[str, ...]: ...
    @property
    def authorization_url(self) -> str | None: ...
    @property
    def token_url(self) -> str | None: ...
    @property
    def resource(self) -> str | None: ...


class Table(Protocol):
    """A `[[mcp_server]]` of the settings."""

    @property
    def label(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def url(self) -> str | None: ...
    @property
    def oauth(self) -> Said | None: ...


def entrances(tables: Sequence[Table]) -> dict[str, Entrance]:
    """Those of the servers that are entered by OAuth, by label."""
    return {
        table.label: Entrance(table.label, table.url, _oauth(table.oauth))
        for table in tables
        if table.enabled and table.url and table.oauth
    }


def _oauth(said: Said) -> OAuth:
    return OAuth(said.grant, said.id, said.secret, said.scopes, said.authorization_url, said.token_url, said.resource)


class Grant:
    """The token for one server, for all its sessions."""

    def __init__(self, entrance: Entrance, vault: Vault, wire: Wire) -> None:
        self.entrance = entrance
        self._vault = vault
        self._wire = wire
        self._renewal_s = wire.timeout_s + _KEEPING_S
        self._held: Credential | None = None
        self._held_until = 0.0
        self._search: asyncio.Task[str] | None = None
        #: The tokens that the server was shown last, newest last.
        self.shown: deque[str] = deque(maxlen=_SHOWN)

    async def token(self, refused: str | None = None) -> str:
        """A token other than the one that was `refused`. Raises `ServerFailed`.

        Those who ask at the same time share one search, which goes on when they leave: what it is given is kept.
        """
        held = self._held
        if refused is None and held and held.fresh and held.access_token and time.monotonic() < self._held_until:
            return held.access_token
        mine = self._search is None or self._search.done()
        if self._search is None or mine:
            self._search = asyncio.get_running_loop().create_task(self._searched(refused), context=Context())
            self._search.add_done_callback(lambda task: task.cancelled() or task.exception())
        token = await asyncio.shield(self._search)
        if token == refused and mine:
            raise self.refused()
        return token if token != refused else await self.token(refused)

    def refused(self) -> ServerFailed:
        """What a renewed token met with as well."""
        return _closed(f"MCP server '{self.entrance.label}' refuses its token. {self.entrance.remedy}")

    async def standing(self) -> str:
        """Whether there is a login, and for how long."""
        found = await self._vault.find(self.entrance.label, self.entrance.url)
        if found and found[0].alive:
            return found[0].expiry
        return "login needed" if self.entrance.oauth.grant == "authorization_code" else "no token yet"

    async def close(self) -> None:
        """What is being renewed is kept first."""
        if self._search and not self._search.done():
            await asyncio.wait({self._search}, timeout=self._renewal_s)

    async def _searched(self, refused: str | None) -> str:
        try:
            return await self._found(refused)
        except StoreUnavailable as away:
            said = f"The login to MCP server '{self.entrance.label}' is out of reach: {away.message}"
            raise _closed(said, 503) from None

    async def _found(self, refused: str | None) -> str:
        until = time.monotonic() + self._renewal_s
        while time.monotonic() < until:
            found = await self._vault.find(self.entrance.label, self.entrance.url)
            credential, stamp = found or (None, "")
            if credential and credential.fresh and credential.access_token not in (None, refused):
                return self._hold(credential)
            if self.entrance.oauth.grant == "client_credentials":
                return self._hold(await self._granted_to_client())
            if credential is None or not credential.alive:
                raise self._login_needed()
            if await self._vault.reserve(self.entrance.label, stamp, self._renewal_s):
                renewed = await self._renewed(credential, stamp, refused)
                if await self._kept(renewed, stamp):
                    return self._hold(renewed) if renewed.access_token else self._lost()
            await asyncio.sleep(_LOOK_S)
        raise _closed(f"The token for MCP server '{self.entrance.label}' is being renewed elsewhere.", 503)

    async def _kept(self, renewed: Credential, stamp: str) -> bool:
        """False when there was another login meanwhile, or an attempt of which nothing was heard succeeded."""
        for pause_s in _AGAIN_S:
            with suppress(StoreUnavailable):
                return await self._vault.swap(self.entrance.label, stamp, renewed)
            await asyncio.sleep(pause_s)
        return await self._vault.swap(self.entrance.label, stamp, renewed)

    def _hold(self, credential: Credential) -> str:
        self._held, self._held_until = credential, time.monotonic() + _TRUST_S
        token = credential.access_token or ""
        if token not in self.shown:
            self.shown.append(token)
        return token

    def _lost(self) -> str:
        self._held = None
        raise self._login_needed()

    def _login_needed(self) -> ServerFailed:
        return _closed(f"MCP server '{self.entrance.label}' needs a login. {self.entrance.remedy}")

    async def _renewed(self, credential: Credential, stamp: str, refused: str | None) -> Credential:
        """With a new token, or without any when there is none to be had."""
        from nodes.mcp.oauth.authority import granted

        if credential.refresh_token is None:
            return credential.spent()
        client = self.entrance.oauth.client(credential.authority) or credential.client
        asked = credential.model_copy(update={"client": client})
        try:
            return await granted(self._wire, asked, grant_type="refresh_token", refresh_token=credential.refresh_token)
        except OAuthFailed as failed:
            if isinstance(failed, Refused) and failed.code == "invalid_grant":
                return credential.spent()
            if credential.valid and refused is None:
                return credential
            await self._vault.release(self.entrance.label, stamp)
            raise self._failed(failed) from None

    async def _granted_to_client(self) -> Credential:
        from nodes.mcp.oauth.authority import granted_to_client

        try:
            credential = await granted_to_client(self._wire, self.entrance.url, self.entrance.oauth)
        except OAuthFailed as failed:
            raise self._failed(failed) from None
        await self._vault.put(self.entrance.label, credential)
        return credential

    def _failed(self, failed: OAuthFailed) -> ServerFailed:
        by_person = self.entrance.oauth.grant == "authorization_code" and isinstance(failed, Refused)
        said = f"No token for MCP server '{self.entrance.label}': {failed}"
        return _closed(f"{said} {self.entrance.remedy}" if by_person else said)


class Grants:
    """Of all configured servers; one object a process."""

    def __init__(self, entrances: Mapping[str, Entrance], vault: Vault, timeout_s: float) -> None:
        self._grants = {
            label: Grant(entrance, vault, entrance.wire(timeout_s)) for label, entrance in entrances.items()
        }

    def of(self, label: str) -> Grant | None:
        """None for a server that is not entered by OAuth."""
        return self._grants.get(label)

    async def close(self) -> None:
        await asyncio.gather(*(grant.close() for grant in self._grants.values()))


class Authorized(httpx.AsyncBaseTransport):
    """Shows one server the token that is for it, and once a renewed one when the server refuses that."""

    def __init__(self, inner: httpx.AsyncBaseTransport, grant: Grant) -> None:
        self._inner = inner
        self._grant = grant

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        token = await self._grant.token()
        response = await self._sent(request, token)
        if response.status_code == 401:
            await response.aclose()
            response = await self._sent(request, await self._grant.token(refused=token))
        if response.status_code in (401, 403):
            await self._explain(response)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _sent(self, request: httpx.Request, token: str) -> httpx.Response:
        request.headers["authorization"] = f"Bearer {token}"
        return await self._inner.handle_async_request(request)

    async def _explain(self, response: httpx.Response) -> None:
        """Raises `ServerFailed` where another login helps."""
        from mcp.client.auth.utils import extract_field_from_www_auth

        entrance = self._grant.entrance
        wants = extract_field_from_www_auth(response, "error") == "insufficient_scope"
        if response.status_code == 403 and not wants:
            return
        scope = extract_field_from_www_auth(response, "scope") or ""
        await response.aclose()
        if wants:
            named = f": {scope}" if _SCOPES.fullmatch(scope) else ""
            said = f"MCP server '{entrance.label}' wants more scopes{named}. Add them to `oauth.scopes`."
            raise _closed(f"{said} {entrance.remedy}", response.status_code)
        raise self._grant.refused()


def _closed(message: str, status: int = 401) -> ServerFailed:
    return ServerFailed(message, {"type": "http_error", "code": status, "message": message})
