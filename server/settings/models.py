"""What settings are made of: tables of the settings file, and values with a shape of their own."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from server.settings.environment import value

OPENAI_KEY = "OPENAI_API_KEY"
_WEBHOOK_PREFIX = "whsec_"
#: What stands in URLs and wildcards, and in no host.
_NO_HOST = re.compile(r"[\s/:*?@\[\]]")


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("a URL begins with http:// or https://")
    return url.rstrip("/")


def listed(given: Any) -> Any:
    """`a,b` and `["a", "b"]` are lists too, as an environment variable spells them."""
    if not isinstance(given, str):
        return given
    return json.loads(given) if given.lstrip().startswith("[") else [part.strip() for part in given.split(",")]


def _database_url(url: SecretStr) -> SecretStr:
    address = url.get_secret_value()
    if address.startswith("postgres://"):  # as some hosts still spell it; not every library takes it
        address = "postgresql" + address.removeprefix("postgres")
    scheme, _, rest = address.partition("://")
    if scheme not in ("postgresql", "sqlite") or (scheme == "sqlite" and not rest.removeprefix("/")):
        raise ValueError("it begins with postgresql://, or is sqlite:///PATH")
    if scheme == "sqlite" and not rest.startswith("/"):
        raise ValueError("a file is sqlite:///relative/path or sqlite:////absolute/path")
    return SecretStr(address)


def _hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Names, addresses and networks, as they are compared."""
    for entry in entries:
        try:
            ip_network(entry, strict=False)
        except ValueError:
            if not entry or _NO_HOST.search(entry):
                raise ValueError(f"{entry!r} is no name, address or network") from None
    return tuple(entry.rstrip(".").lower() for entry in entries)


Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
#: A time to live, in the unit its name says.
Span = Annotated[float, Field(gt=0)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)]
#: Of searches of the web.
Engine = Literal["ddgs", "searxng", "brave", "tavily", "exa"]
Engines = Annotated[tuple[Engine, ...], NoDecode, BeforeValidator(listed), Field(min_length=1)]
Hosts = Annotated[Names, AfterValidator(_hosts)]
WebhookEvent = Literal["response.completed", "response.failed", "response.incomplete", "response.cancelled"]


@dataclass(frozen=True, slots=True)
class Database:
    """Where everything is kept; as text without what is secret."""

    #: A name of `checkpoints.STORES`.
    kind: Literal["sqlite", "postgresql"]
    #: The whole address, password and all.
    url: SecretStr
    #: The file, if it is one.
    path: Path | None = None

    @classmethod
    def at(cls, url: SecretStr) -> Self:
        address = url.get_secret_value()
        if address.startswith("postgresql://"):
            return cls("postgresql", url)
        return cls("sqlite", url, Path(address.removeprefix("sqlite:///")).expanduser().absolute())

    @classmethod
    def file(cls, path: Path) -> Self:
        return cls("sqlite", SecretStr(f"sqlite:///{path}"), path)

    @property
    def place(self) -> Path | str:
        """What the store of this kind opens."""
        return self.path or self.url.get_secret_value()

    def __str__(self) -> str:
        """`db.example:5432/graphnexus`, or the path."""
        if self.path:
            return str(self.path)
        _, _, host = urlsplit(self.url.get_secret_value()).netloc.rpartition("@")
        return f"{host or 'localhost'}{urlsplit(self.url.get_secret_value()).path}"


class ModelServer(BaseModel):
    """A Chat Completions address: `[[upstream]]` in the file, `--upstream URL` as a flag."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: HttpUrl
    name: str = ""
    key: SecretStr | None = None
    key_env: str | None = None
    models: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        """A bare URL is a model server that may be given `OPENAI_API_KEY`."""
        return {"url": given, "key_env": OPENAI_KEY} if isinstance(given, str) else given

    def __str__(self) -> str:
        return self.url

    @model_validator(mode="after")
    def _key_is_there(self) -> Self:
        if self.key is None and self.key_env not in (None, OPENAI_KEY):
            said(self.key_env)
        return self


class ApiKey(BaseModel):
    """A key that opens this server, and whose rows it opens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: Annotated[str, Field(min_length=1)]
    key: Annotated[SecretStr, Field(min_length=1)]

    def __str__(self) -> str:
        return self.owner

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        owner, _, key = given.partition(":")
        return {"owner": owner, "key": key}


class ApprovalRule(BaseModel):
    """Which hosted calls wait for an approval: `[[approval]]` in the file. Patterns are shell wildcards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: `always`: whatever the caller says. `ask`: unless the caller waives it. `never`: only if the caller asks for it.
    policy: Literal["always", "ask", "never"]
    tool: str = "*"
    server: str = "*"
    name: str = "*"
    owner: str = "*"
    arguments: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.policy} {self.tool} {self.server} {self.name}"


class Webhook(BaseModel):
    """An address that is told how responses ended: `[[webhook]]` in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: HttpUrl
    secret: SecretStr | None = None
    secret_env: str | None = None
    events: Sequence[WebhookEvent] = get_args(WebhookEvent)

    def __str__(self) -> str:
        """Without query and user, which may be secrets."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"

    @model_validator(mode="after")
    def _secret_is_there(self) -> Self:
        if (self.secret is None) == (self.secret_env is None):
            raise ValueError("it needs `secret` or `secret_env`")
        _check_signing(self.signing_secret.get_secret_value())
        return self

    @property
    def signing_secret(self) -> SecretStr:
        return self.secret or SecretStr(said(self.secret_env))


def said(variable: str | None) -> str:
    """What a variable that a table names says. Raises `ValueError`."""
    found = value(variable or "")
    if found is None:
        raise ValueError(f"the variable {variable} is not set")
    return found


def _check_signing(secret: str) -> None:
    """Source: Standard Webhooks, "Signature scheme"; OpenAI's clients take any other spelling for raw bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(_WEBHOOK_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_WEBHOOK_PREFIX) or not key:
        raise ValueError("a signing secret is whsec_ and then Base64")
