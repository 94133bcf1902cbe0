"""Every setting, with its unit and default."""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from server.settings.environment import PREFIX, data_home
from server.settings.mcp import McpServer, told_apart
from server.settings.models import (
    OPENAI_KEY,
    ApiKey,
    ApprovalRule,
    Bytes,
    Count,
    Database,
    DatabaseUrl,
    Engines,
    Hosts,
    HttpUrl,
    ModelServer,
    Names,
    Seconds,
    Span,
    Webhook,
    listed,
    said,
)

OPENAI_URL = "https://api.openai.com/v1"


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
    data_dir: Path = data_home() / "graphnexus"
    """Directory of everything that is kept. One a user, so that conversations are found again from any directory."""
    database_url: DatabaseUrl | None = None
    """Database of everything that is kept: `postgresql://user:password@host/name`, which several servers may share, or
    `sqlite:///path`. Default: SQLite in `data_dir`."""
    storage_url: str | None = None
    """Where the bytes of files are kept: a directory, or a URL such as `s3://bucket/prefix` that all servers on one
    database reach. Default: `files` in `data_dir`."""
    file_max_bytes: Bytes = 512 * 2**20
    """Bytes of the largest file that comes at once."""
    upload_max_bytes: Bytes = 8 * 2**30
    """Bytes of the largest file that comes in parts."""
    file_quota_bytes: Bytes | None = None
    """Bytes that all files of one owner may have together. Default: no limit."""
    database_pool: Count = 10
    """Connections to PostgreSQL that one process holds at most, beside one that listens."""
    workers: Count = 1
    """Processes that serve the port together. More than one needs PostgreSQL."""
    upstream: Annotated[tuple[ModelServer, ...], NoDecode, BeforeValidator(listed)] = ()
    """Model servers: base URLs of Chat Completions APIs, or tables with `url`, `name`, `key`, `key_env`, `models`."""
    openai_base_url: HttpUrl | None = Field(None, validation_alias="openai_base_url")
    """Model server when no `upstream` is named (environment: `OPENAI_BASE_URL`)."""
    openai_api_key: SecretStr | None = Field(None, validation_alias="openai_api_key")
    """Key for it, and for upstreams given as bare URLs (environment: `OPENAI_API_KEY`)."""
    discover: bool = True
    """Look for Ollama, LM Studio, llama.cpp, LlamaEdge and vLLM on this machine when no upstream is named."""
    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(listed)] = ()
    """Keys that open this server: tables with `owner` and `key`, or `owner:key`. See also `graphnexus keys`."""
    insecure: bool = False
    """Let everyone in who can reach `host`, without a key."""
    allowed_hosts: Names = ()
    """Further `Host` names that a server without keys answers to on loopback, e.g. of a proxy before it."""
    allowed_origins: Names = ()
    """Origins of web pages that may call a server without keys, e.g. `http://localhost:3000`."""
    secret_key: SecretStr | None = None
    """Seals what callers carry away encrypted. Default: made at the first start and kept in `data_dir`."""
    metrics_key: SecretStr | None = None
    """Key that opens `/metrics`. Default: a server without API keys shows them, one with API keys does not."""
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
    lease_s: Seconds = 6.0
    """Seconds a process may be silent before others take over what it was making."""
    background_runs: Count = 64
    """Background responses that one process makes at once; more wait."""
    background_runs_per_owner: Count = 16
    """Background responses that one process makes at once for one owner."""
    resumable_streams: bool = False
    """Keep the events of every stored streamed response, so that it outlives its reader and can be read again."""
    webhook: Annotated[tuple[Webhook, ...], NoDecode, BeforeValidator(listed)] = ()
    """Addresses that are told how background responses ended: tables with `url`, `secret` or `secret_env`, `events`."""
    approval: Annotated[tuple[ApprovalRule, ...], NoDecode, BeforeValidator(listed)] = ()
    """Which hosted calls wait for an approval: tables with `policy`, and `tool`, `server`, `name`, `owner`, `arguments`
    to say which calls it is for. The first that matches counts."""
    response_ttl_days: Span | None = None
    """Days that a response is kept after it was made. Default: for ever."""
    conversation_ttl_days: Span | None = None
    """Days that a conversation is kept after it was last used. Default: for ever."""
    event_ttl_hours: Span = 24.0
    """Hours that the events of an ended response are kept, so that its stream can be read again."""
    websocket_minutes: Span = 60.0
    """Minutes a WebSocket may stay open."""
    max_body_bytes: Bytes = 64 * 2**20
    """Bytes of the largest request body that is read."""
    max_model_turns: Annotated[int, Field(gt=0)] = 50
    """Model turns of one response."""
    input_files: Literal["text", "pass"] = "text"
    """What a model is told of a file in a request: its text, or the file itself, for model servers that read files."""
    image_urls: Literal["pass", "fetch"] = "pass"
    """Who fetches an image that a request names by URL: the model server, or this one, which passes it on as data."""
    input_bytes: Bytes = 50 * 2**20
    """Bytes of all files and images that one request may bring; those the model server fetches are not counted."""
    input_search_chars: Count = 200_000
    """Characters of an uploaded file from which on the model searches it instead of being told all of it."""
    input_file_chars: Count = 500_000
    """Characters of one file that a model is told; the rest is cut, and the model is told so."""
    input_chars: Count = 1_000_000
    """Characters of all files of one request that a model is told."""
    document_timeout_s: Seconds = 20.0
    """Seconds that reading one document may take."""
    document_memory_bytes: Bytes = 512 * 2**20
    """Bytes of memory that reading one document may take; as many are read at once as there are processors."""
    fetch_allow_private: bool | None = None
    """Let requests name files and images on loopback and private addresses. Default: loopback only, while just this
    machine can reach the server and there are no configured API keys."""
    fetch_allowed_hosts: Hosts = ()
    """Hosts that may be fetched from although they are private: names, addresses or networks."""
    fetch_timeout_s: Seconds = 20.0
    """Seconds that fetching one URL may take."""
    mcp_allow_private: bool | None = None
    """Let requests name MCP servers on loopback and private addresses. Default: only while just this machine can
    reach the server and there are no configured API keys."""
    mcp_allowed_hosts: Hosts = ()
    """Hosts that requests may name MCP servers on although they are private: names, addresses or networks
    (`mcp.internal`, `10.1.2.0/24`)."""
    mcp_server: Annotated[tuple[McpServer, ...], NoDecode, BeforeValidator(listed), AfterValidator(told_apart)] = ()
    """MCP servers that requests name by label: tables with `label`, `url` or `command`, and more: see docs/mcp.md."""
    mcp_connect_timeout_s: Seconds = 15.0
    """Seconds an MCP server has to open a session and list its tools."""
    mcp_call_timeout_s: Seconds = 120.0
    """Seconds one MCP call may take without a sign of progress."""
    mcp_list_ttl_s: Annotated[float, Field(ge=0)] = 60.0
    """Seconds for which the tools an MCP server has listed are not asked for again; 0 asks for each response."""
    mcp_sampling: Literal["never", "ask", "always"] = "never"
    """Let MCP servers ask the response's model during calls: `ask` is only during calls that somebody has approved."""
    file_search_embedding: str = ""
    """Model that makes vectors of texts: one of a model server's `/v1/embeddings`, or `local`, once `graphnexus index
    model` has fetched one. Default: searches are by words alone, which needs no model."""
    file_search_embedding_languages: Names = ()
    """Languages the embedding model knows, e.g. `english`; texts and questions in others are searched by words alone.
    Default: all."""
    file_search_rerank: str = ""
    """Model of a model server's `/v1/rerank` that puts what was found in its order. Default: none."""
    file_search_chroma: str = "auto"
    """Index of large vector stores: `auto` starts a Chroma server of our own when one is wanted, a URL names another,
    and `off` looks at every vector."""
    file_search_chroma_token: SecretStr | None = None
    """Token that a Chroma server of others is sent in `X-Chroma-Token`."""
    file_search_exact_windows: Count = 5000
    """Windows of text up to which every vector is looked at, which is exact, and faster than an index."""
    file_search_files: Count = 2
    """Files that one process makes searchable at once."""
    file_search_file_chars: Count = 20_000_000
    """Characters of one file that are made searchable; of a longer one, nothing is."""
    web_search_engines: Engines = ("ddgs",)
    """Search engines, each asked when those before do not answer: `ddgs`, `searxng`, `brave`, `tavily`, `exa`."""
    web_search_searxng_url: HttpUrl = "http://127.0.0.1:8080"
    """Address of a SearXNG whose settings let it answer in JSON."""
    web_search_brave_url: HttpUrl = "https://api.search.brave.com"
    """Address of Brave's search API."""
    web_search_brave_key: SecretStr | None = None
    """Key for Brave's search API."""
    web_search_tavily_url: HttpUrl = "https://api.tavily.com"
    """Address of Tavily."""
    web_search_tavily_key: SecretStr | None = None
    """Key for Tavily."""
    web_search_exa_url: HttpUrl = "https://api.exa.ai"
    """Address of Exa."""
    web_search_exa_key: SecretStr | None = None
    """Key for Exa."""
    web_search_timeout_s: Seconds = 15.0
    """Seconds that one engine has to answer, or one page to arrive."""
    web_search_allowed_hosts: Hosts = ()
    """Hosts whose pages models may open although they are private: names, addresses or networks."""
    web_search_robots: bool = True
    """Leave pages alone that their sites ask robots not to read (robots.txt)."""
    web_search_cache_chars: Count = 8_000_000
    """Characters of pages that one process keeps in memory."""
    web_search_cache_ttl_s: Seconds = 900.0
    """Seconds after which a page is fetched again."""
    container_memory_max: Literal["1g", "4g", "16g", "64g"] = "4g"
    """Most memory that a container may ask for with `memory_limit`."""
    container_idle_s: Seconds = 1200.0
    """Seconds without a call after which a container's sandbox goes. Its files and variables are kept and come back."""
    container_wait_s: Seconds = 300.0
    """Seconds that a call waits for its container while other calls, or another server, are in it."""
    container_ttl_days: Span | None = 30.0
    """Days that a container and its files are kept after it was last used."""
    sandbox: Literal["auto", "bwrap", "landlock", "docker", "e2b", "off"] = "auto"
    """How code is run: the first of bwrap, landlock, docker and e2b that works here, one of them, or not at all."""
    sandbox_python: Path | None = None
    """Python of sandboxes, e.g. of a venv with packages. Default: what `graphnexus sandbox install` has made, else the
    server's own without its packages."""
    sandbox_pool: Annotated[int, Field(ge=0)] = 1
    """Sandboxes that one process keeps ready once code may be wanted, so that it need not wait for one."""
    sandbox_limit: Count = 64
    """Sandboxes that one process has open at once."""
    sandbox_call_timeout_s: Seconds = 120.0
    """Seconds one piece of code may run before it is interrupted."""
    sandbox_disk_bytes: Bytes = 512 * 2**20
    """Bytes one sandbox may have written."""
    sandbox_processes: Count = 128
    """Processes and threads one sandbox may have."""
    sandbox_allow_private: bool = False
    """Let domains that containers may reach lead to loopback and private addresses."""
    sandbox_docker_image: str = "docker.io/library/python:3.12-slim"
    """Image of sandboxes that Docker runs."""
    e2b_api_key: SecretStr | None = Field(None, validation_alias="e2b_api_key")
    """Key for sandboxes of E2B (environment: `E2B_API_KEY`)."""
    e2b_domain: str | None = Field(None, validation_alias="e2b_domain")
    """Domain of an E2B that one hosts oneself (environment: `E2B_DOMAIN`)."""
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
    def database(self) -> Database:
        return Database.at(self.database_url) if self.database_url else Database.file(self.directory / "graphnexus.db")

    @property
    def storage(self) -> str:
        return self.storage_url or str(self.directory / "files")

    def of(self, kind: str) -> dict[str, Any]:
        """The settings of one kind of tool, without the kind: `call_timeout_s` for `mcp_call_timeout_s`."""
        prefix = f"{kind}_"
        return {name.removeprefix(prefix): value for name, value in self if name.startswith(prefix)}

    def model_servers(self) -> tuple[ModelServer, ...]:
        """The model servers named, each with its key; empty means: discover, or use the built-in model."""
        servers = self.upstream
        if not servers and (self.openai_base_url or self.openai_api_key):
            servers = (ModelServer(url=self.openai_base_url or OPENAI_URL, key_env=OPENAI_KEY),)
        return tuple(server.model_copy(update={"key": self._key_of(server)}) for server in servers)

    def _key_of(self, server: ModelServer) -> SecretStr | None:
        if server.key or not server.key_env:
            return server.key
        return self.openai_api_key if server.key_env == OPENAI_KEY else SecretStr(said(server.key_env))


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, is this machine by its very spelling."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
