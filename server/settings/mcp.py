"""MCP servers of the operator's: `[[mcp_server]]` in the settings file."""

from typing import Annotated, Any, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from server.settings.models import said
from server.settings.oauth import McpOAuth

_HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_VARIABLE = r"^[^=\x00]+$"
Transport = Literal["streamable_http", "sse", "stdio"]


def _url(url: str) -> str:
    """As it is: to many a server the slash at its end matters."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials go into `authorization` or `headers`, not into the URL")
    return url


def _several(given: Any) -> Any:
    """One name is a list of one."""
    return (given,) if isinstance(given, str) else given


def _sendable(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isprintable() or not value.get_secret_value().isascii():
        raise ValueError("it has to be printable ASCII")
    return value


HeaderValue = Annotated[SecretStr, AfterValidator(_sendable)]
Names = Annotated[tuple[str, ...], BeforeValidator(_several)]


class ToolFilter(BaseModel):
    """Tools by their names, or by what they say of themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool_names: tuple[str, ...] | None = None
    read_only: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        return {"tool_names": cast(object, given)} if isinstance(given, list) else given


class ApprovalSides(BaseModel):
    """The tools that always wait for an approval and those that never do; others wait."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    always: ToolFilter | None = None
    never: ToolFilter | None = None


class McpServer(BaseModel):
    """A server that requests name by its label, without knowing where it is or how it is entered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,63}$")]
    enabled: bool = True
    #: Default: `stdio` with `command`, else `streamable_http`.
    transport: Transport | None = None
    url: Annotated[str, AfterValidator(_url)] | None = None
    command: Annotated[str, Field(min_length=1)] | None = None
    args: tuple[str, ...] = ()
    env: dict[Annotated[str, Field(pattern=_VARIABLE)], SecretStr] = {}
    #: Variables of our own environment that the program gets too.
    env_from: Names = ()
    cwd: str | None = None
    headers: dict[Annotated[str, Field(pattern=_HEADER_NAME)], HeaderValue] = {}
    authorization: HeaderValue | None = None
    authorization_env: str | None = None
    oauth: McpOAuth | None = None
    #: Further names by which requests may ask for it.
    connector_id: Names = ()
    description: str | None = None
    #: For requests that say nothing of it.
    require_approval: Literal["always", "never"] | ApprovalSides = "always"
    #: Requests can only narrow it.
    allowed_tools: ToolFilter | None = None
    #: What the model is told when the server cannot be reached, instead of failing the response.
    fallback_message: Annotated[str, Field(min_length=1)] | None = None
    #: Who may use it. Default: everyone.
    owners: Names = ()
    #: One session, or one process, for all owners.
    shared: bool = False
    #: Whether strangers speak in what it says: mail, issues, pages. See `untrusted_text`.
    untrusted: bool = False

    def __str__(self) -> str:
        return self.label if self.enabled else f"{self.label} (disabled)"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError("it needs `url` or `command`, and not both")
        self._fits_transport()
        named = "authorization" in (name.lower() for name in self.headers)
        if sum((named, self.authorization is not None, self.authorization_env is not None, self.oauth is not None)) > 1:
            raise ValueError(
                "it takes one of `authorization`, `authorization_env`, an Authorization header and `oauth`"
            )
        if self.enabled:
            _ = self.token, self.environment, self.oauth and (self.oauth.id, self.oauth.secret)
        return self

    def _fits_transport(self) -> None:
        if self.transport and (self.transport == "stdio") != (self.command is not None):
            wanted = "command" if self.transport == "stdio" else "url"
            raise ValueError(f"the transport {self.transport} needs `{wanted}`")
        of_url, of_command = (
            ("headers", "authorization", "authorization_env", "oauth"),
            ("args", "env", "env_from", "cwd"),
        )
        wrong = of_url if self.command else of_command
        for name in wrong:
            if getattr(self, name):
                raise ValueError(f"`{name}` goes with `{'url' if self.command else 'command'}`")

    @property
    def token(self) -> str | None:
        """Sent as `Authorization: Bearer`. Raises `ValueError` when its variable is not set."""
        if self.authorization_env:
            return said(self.authorization_env)
        return self.authorization.get_secret_value() if self.authorization else None

    @property
    def environment(self) -> dict[str, str]:
        """What the program is told beside where programs are. Raises `ValueError` when a variable is not set."""
        passed = {name: said(name) for name in self.env_from}
        return passed | {name: value.get_secret_value() for name, value in self.env.items()}


def told_apart(servers: tuple[McpServer, ...]) -> tuple[McpServer, ...]:
    """Raises `ValueError` when a request could mean two of them."""
    for names in ([one.label for one in servers], [name for one in servers for name in one.connector_id]):
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two servers are called '{name}'")
    return servers
