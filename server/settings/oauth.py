"""How the operator's MCP servers are entered: `oauth = { … }` of a `[[mcp_server]]`."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from server.settings.models import listed, said


def _url(url: str) -> str:
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise ValueError("a URL begins with http:// or https://")
    return url


Url = Annotated[str, AfterValidator(_url)]


class McpOAuth(BaseModel):
    """An empty table will do for a server that says where its authorization server is and registers clients."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: `authorization_code` asks a person, once, in `graphnexus mcp login`; `client_credentials` asks nobody.
    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    #: Default: the authorization server is asked to register us.
    client_id: Annotated[str, Field(min_length=1)] | None = None
    client_id_env: str | None = None
    client_secret: SecretStr | None = None
    client_secret_env: str | None = None
    #: Default: those the server asks for.
    scopes: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    #: Where the authorization server is. Default: as the server says.
    authorization_url: Url | None = None
    token_url: Url | None = None
    #: What tokens are asked for. Default: as the server says, else its URL.
    resource: Url | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("client_id", "client_secret"):
            if getattr(self, name) and getattr(self, f"{name}_env"):
                raise ValueError(f"it takes `{name}` or `{name}_env`, not both")
        named, proven = self.client_id or self.client_id_env, self.client_secret or self.client_secret_env
        if proven and not named:
            raise ValueError("`client_secret` goes with `client_id`")
        if self.grant == "client_credentials" and not proven:
            raise ValueError("client_credentials needs `client_id` and `client_secret`")
        return self

    @property
    def id(self) -> str | None:
        """Raises `ValueError` when its variable is not set."""
        return said(self.client_id_env) if self.client_id_env else self.client_id

    @property
    def secret(self) -> str | None:
        """As `id`."""
        if self.client_secret_env:
            return said(self.client_secret_env)
        return self.client_secret.get_secret_value() if self.client_secret else None
