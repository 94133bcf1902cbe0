"""Settings of the server itself, each with its unit and default."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server.settings.environment import data_home
from server.settings.models import (
    ApiKey,
    ApprovalRule,
    Bytes,
    Count,
    DatabaseUrl,
    Hosts,
    HttpUrl,
    ModelServer,
    Names,
    Seconds,
    Span,
    Webhook,
    listed,
)


class ServerSettings(BaseSettings):
    model_config = SettingsConfigDict(use_attribute_docstrings=True)

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
    untrusted_text: Literal["allow", "ask"] = "allow"
    """Calls with side effects once the model has read what strangers say (pages, servers that requests name): they are
    made as always, or wait for an approval whatever the request waives."""
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
    cache_bytes: Bytes = 64 * 2**20
    """Bytes of conversations kept decoded in memory."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log record that is written."""
    log_format: Literal["text", "json"] = "text"
    """Shape of log lines on stderr."""
