"""What an authorization server granted for one MCP server, and where it is kept: sealed, one row a label."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graph.seal import Seal

Method = Literal["none", "client_secret_basic", "client_secret_post"]
#: A token that can be is renewed so many seconds before it expires, or after nine tenths of its life if that is later.
_MARGIN_S = 30.0


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Client(_Record):
    """What we are to the authorization server: registered by hand, or by ourselves."""

    id: str
    secret: str | None = Field(default=None, repr=False)
    method: Method = "none"
    #: Of a registration we made ourselves: the callback it is for.
    redirect_uri: str | None = None


class Authority(_Record):
    """An authorization server, and what it is to be asked for."""

    token_url: str
    authorization_url: str | None = None
    registration_url: str | None = None
    issuer: str | None = None
    #: The server that tokens are for. Source: RFC 8707.
    resource: str
    scope: str | None = None
    #: How clients may show themselves at `token_url`; None where it does not say.
    methods: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OAuth:
    """What the operator says of a server's authorization; the rest is asked for."""

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    authorization_url: str | None = None
    token_url: str | None = None
    resource: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(url for url in (self.authorization_url, self.token_url) if url)

    def client(self, authority: Authority) -> Client | None:
        """The client that was registered by hand."""
        if self.client_id is None:
            return None
        return Client(id=self.client_id, secret=self.client_secret, method=method_of(self.client_secret, authority))


def method_of(secret: str | None, authority: Authority) -> Method:
    """How a client shows itself; without a secret only by its name, unless it will be given one."""
    known = authority.methods
    if secret is None and (known is None or "none" in known):
        return "none"
    return "client_secret_post" if known and "client_secret_basic" not in known else "client_secret_basic"


class Credential(_Record):
    """Shown to the server at `server_url` and to no other."""

    server_url: str
    authority: Authority
    client: Client
    #: None after the authorization server took the grant back.
    access_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)
    #: Unix seconds; None where a token does not say.
    granted_at: float = 0
    expires_at: float | None = None
    scope: str | None = None

    @property
    def fresh(self) -> bool:
        """Whether the token need not be renewed yet."""
        margin_s = min(_MARGIN_S, ((self.expires_at or 0) - self.granted_at) / 10) if self.refresh_token else 0
        return self._valid_in(margin_s)

    @property
    def valid(self) -> bool:
        return self._valid_in(0)

    @property
    def alive(self) -> bool:
        """Whether there is a token to show, or to be had without a person."""
        return self.valid or self.refresh_token is not None

    @property
    def expiry(self) -> str:
        """`expires 2026-11-22 23:59 UTC and is renewed`."""
        if self.expires_at is None:
            return "does not expire"
        renewed = " and is renewed" if self.refresh_token else ""
        return f"expires {datetime.fromtimestamp(self.expires_at, UTC):%Y-%m-%d %H:%M} UTC{renewed}"

    def _valid_in(self, seconds: float) -> bool:
        return self.access_token is not None and (self.expires_at is None or time.time() + seconds < self.expires_at)

    def spent(self) -> "Credential":
        """Without its tokens; the registration stays good."""
        return self.model_copy(update={"access_token": None, "refresh_token": None})


class Rows(Protocol):
    """A table of sealed rows; see `checkpoints.credentials`."""

    async def find(self, label: str) -> tuple[str, str] | None: ...

    async def put(self, label: str, sealed: str) -> None: ...

    async def swap(self, label: str, stamp: str, sealed: str) -> bool: ...

    async def reserve(self, label: str, stamp: str, seconds: float) -> bool: ...

    async def release(self, label: str, stamp: str) -> None: ...

    async def drop(self, label: str) -> bool: ...


class Vault:
    """Credentials of all labels."""

    def __init__(self, rows: Rows, seal: Seal) -> None:
        self._rows = rows
        self._seal = seal

    async def find(self, label: str, server_url: str) -> tuple[Credential, str] | None:
        """What is kept for this server, and its stamp. What was sealed with another key is not there, and neither is
        what belongs to a server that had the label before."""
        row = await self._rows.find(label)
        content = self._seal.open(row[0]) if row else None
        if row is None or content is None:
            return None
        try:
            credential = Credential.model_validate(content)
        except ValidationError:  # which would show what is in it
            return None
        return (credential, row[1]) if credential.server_url == server_url else None

    async def put(self, label: str, credential: Credential) -> None:
        await self._rows.put(label, self._sealed(credential))

    async def swap(self, label: str, stamp: str, credential: Credential) -> bool:
        """False when another has replaced or dropped it meanwhile."""
        return await self._rows.swap(label, stamp, self._sealed(credential))

    async def reserve(self, label: str, stamp: str, seconds: float) -> bool:
        """Be the only one to renew it for so long."""
        return await self._rows.reserve(label, stamp, seconds)

    async def release(self, label: str, stamp: str) -> None:
        await self._rows.release(label, stamp)

    async def drop(self, label: str) -> bool:
        """False when nothing is kept."""
        return await self._rows.drop(label)

    def _sealed(self, credential: Credential) -> str:
        return self._seal.close(credential.model_dump(mode="json"))
