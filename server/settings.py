"""Every setting, with its unit and default; the one place that reads the environment.

Heaviest first: flags, environment (`GRAPHNEXUS_PORT` for `port`), `graphnexus.toml`, defaults.
"""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

PREFIX = "GRAPHNEXUS_"
DEFAULT_FILE = Path("graphnexus.toml")
OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_KEY = "OPENAI_API_KEY"


class BadSetting(Exception):
    """A setting that cannot be used: one line that names it and says where it was found."""


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("a URL begins with http:// or https://")
    return url.rstrip("/")


def _listed(value: Any) -> Any:
    """`a,b` and `["a", "b"]` are lists too, as an environment variable spells them."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.lstrip().startswith("[") else [part.strip() for part in value.split(",")]


Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


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
    def _bare(cls, value: Any) -> Any:
        """A bare URL is a model server that may be given `OPENAI_API_KEY`."""
        return {"url": value, "key_env": _OPENAI_KEY} if isinstance(value, str) else value

    def __str__(self) -> str:
        return self.url

    @model_validator(mode="after")
    def _key_is_there(self) -> Self:
        if self.key is None and self.key_env not in (None, _OPENAI_KEY, *os.environ):
            raise ValueError(f"the variable {self.key_env} is not set")
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
    def _spelled(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        owner, _, key = value.partition(":")
        return {"owner": owner, "key": key}


class Settings(BaseSettings):
    """Read once, by `load`; never changes afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on. One that other machines can reach needs API keys, or `insecure`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one."""
    data_dir: Path = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "graphnexus"
    """Directory of everything that is kept. One a user, so that conversations are found again from any directory."""
    upstream: Annotated[tuple[ModelServer, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Model servers: base URLs of Chat Completions APIs, or tables with `url`, `name`, `key`, `key_env`, `models`."""
    openai_base_url: HttpUrl | None = Field(None, validation_alias="openai_base_url")
    """Model server when no `upstream` is named (environment: `OPENAI_BASE_URL`)."""
    openai_api_key: SecretStr | None = Field(None, validation_alias="openai_api_key")
    """Key for it, and for upstreams given as bare URLs (environment: `OPENAI_API_KEY`)."""
    discover: bool = True
    """Look for Ollama, LM Studio, llama.cpp, LlamaEdge and vLLM on this machine when no upstream is named."""
    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Keys that open this server: tables with `owner` and `key`, or `owner:key`. See also `graphnexus keys`."""
    insecure: bool = False
    """Let everyone in who can reach `host`, without a key."""
    allowed_hosts: Names = ()
    """Further `Host` names that a server without keys answers to on loopback, e.g. of a proxy before it."""
    allowed_origins: Names = ()
    """Origins of web pages that may call a server without keys, e.g. `http://localhost:3000`."""
    secret_key: SecretStr | None = None
    """Seals what callers carry away encrypted. Default: made at the first start and kept in `data_dir`."""
    strict: bool = False
    """Refuse request fields that the API does not have, as OpenAI does, instead of ignoring them."""
    reasoning_event_names: Literal["openai", "open_responses"] = "openai"
    """Whose names the events of reasoning text bear."""
    upstream_connect_timeout_s: Seconds = 5.0
    """Seconds to wait for a connection to a model server."""
    upstream_stall_timeout_s: Seconds = 120.0
    """Seconds a model server may say nothing before it counts as stalled."""
    hold_created_s: Annotated[float, Field(ge=0)] = 2.0
    """Seconds `response.created` waits for the model server to accept, so that a refusal can be an HTTP status."""
    shutdown_grace_s: Seconds = 20.0
    """Seconds that responses being made have to finish when the server is stopped."""
    max_body_bytes: Bytes = 64 * 2**20
    """Bytes of the largest request body that is read."""
    max_model_turns: Annotated[int, Field(gt=0)] = 50
    """Model turns of one response."""
    mcp_allow_private: bool | None = None
    """Let requests name MCP servers on loopback and private addresses. Default: only while just this machine can
    reach the server and there are no configured API keys."""
    mcp_connect_timeout_s: Seconds = 15.0
    """Seconds an MCP server has to open a session and list its tools."""
    mcp_call_timeout_s: Seconds = 120.0
    """Seconds one MCP call may take."""
    cache_bytes: Bytes = 64 * 2**20
    """Bytes of conversations kept decoded in memory."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log record that is written."""
    log_format: Literal["text", "json"] = "text"
    """Shape of log lines on stderr."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `load` weighs the sources, and can say where a bad value was found."""
        return (init_settings,)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def directory(self) -> Path:
        return self.data_dir.expanduser().absolute()

    @property
    def database(self) -> Path:
        return self.directory / "graphnexus.db"

    def of(self, kind: str) -> dict[str, Any]:
        """The settings of one kind of tool, without the kind: `call_timeout_s` for `mcp_call_timeout_s`."""
        prefix = f"{kind}_"
        return {name.removeprefix(prefix): value for name, value in self if name.startswith(prefix)}

    def model_servers(self) -> tuple[ModelServer, ...]:
        """The model servers named, each with its key; empty means: discover, or use the built-in model."""
        servers = self.upstream
        if not servers and (self.openai_base_url or self.openai_api_key):
            servers = (ModelServer(url=self.openai_base_url or OPENAI_URL, key_env=_OPENAI_KEY),)
        return tuple(server.model_copy(update={"key": self._key_of(server)}) for server in servers)

    def _key_of(self, server: ModelServer) -> SecretStr | None:
        if server.key or not server.key_env:
            return server.key
        return self.openai_api_key if server.key_env == _OPENAI_KEY else SecretStr(os.environ[server.key_env])


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, is this machine by its very spelling."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


class _Source(NamedTuple):
    values: Mapping[str, Any]
    #: What a setting is called there.
    naming: str

    def place(self, setting: str) -> str:
        return self.naming.format(flag=setting.replace("_", "-"), variable=variable(setting))


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return setting.upper() if setting.startswith("openai_") else PREFIX + setting.upper()


def load(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Weigh flags, environment and file; None among the flags means not given. Raises `BadSetting`."""
    given = {name: value for name, value in flags.items() if value is not None}
    path = _file(config)
    sources = [_Source(given, "--{flag}"), _Source(_environment(), "{variable}"), _Source(_toml(path), str(path))]
    merged = {name: value for source in reversed(sources) for name, value in source.values.items()}
    try:
        return Settings(**merged)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting = str(first["loc"][0]) if first["loc"] else ""
        place = next((source.place(setting) for source in sources if setting in source.values), "default")
        raise BadSetting(f"{_sentence(first)} ({place})") from None


def unknown_variables() -> list[str]:
    """Variables that look like ours and are no setting; a typing error, or Kubernetes' service links."""
    known = {variable(name) for name in Settings.model_fields} | {PREFIX + "CONFIG"}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def bare_environment() -> dict[str, str]:
    """The environment less everything that is a setting, for a child that is told its settings otherwise."""
    settings = {variable(name) for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in settings and not name.startswith(PREFIX)}


def _file(config: Path | None) -> Path | None:
    named = config or (Path(os.environ[PREFIX + "CONFIG"]) if os.environ.get(PREFIX + "CONFIG") else None)
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not named.is_file():
        raise BadSetting(f"config: there is no file {named} ({'--config' if config else PREFIX + 'CONFIG'})")
    return named


def _environment() -> dict[str, Any]:
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise BadSetting(f"{error} (environment)") from None


def _toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return TomlConfigSettingsSource(Settings, path)()
    except (OSError, ValueError) as error:
        raise BadSetting(f"config: {error} ({path})") from None


def _sentence(error: ErrorDetails) -> str:
    """`port: Input should be a valid integer, found 'x'`; the value of a key is never shown."""
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    message = error["msg"].removeprefix("Value error, ").replace("\n", " ").replace("valid tuple", "list")
    shown = isinstance(error["input"], str | int | float) and "key" not in name
    return f"{name}: {message}, found {error['input']!r}" if shown else f"{name}: {message}"
