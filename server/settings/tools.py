"""Settings of the hosted tools, each with its unit and default."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server.settings.mcp import McpServer, told_apart
from server.settings.models import Bytes, Count, Engines, Hosts, HttpUrl, Names, Seconds, Span, listed


class ToolSettings(BaseSettings):
    """Their names begin with the kind of the tool; see `Settings.of`."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

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
    web_search_ddgs_backends: str = "auto"
    """Whom `ddgs` asks, e.g. `duckduckgo, mojeek`: see its documentation. Default: several, as it thinks best."""
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
    web_search_cache_bytes: Annotated[int, Field(ge=0)] = 256 * 2**20
    """Bytes of pages that the processes of a machine keep on disk, in `data_dir`; 0 keeps none there."""
    web_search_cache_ttl_s: Seconds = 900.0
    """Seconds after which a page's site is asked whether it has changed."""
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
    browser_chromium: Path | None = None
    """Chromium or Chrome that models browse with. Default: one of the system, else the one Playwright has installed."""
    browser_sandbox: Literal["auto", "bwrap", "off"] = "auto"
    """What is around Chromium beside its own sandbox: bubblewrap, where it works here (`auto`) or else nothing."""
    browser_allowed_hosts: Hosts = ()
    """Hosts that pages may come from although they are private: names, addresses or networks."""
    browser_limit: Count = 16
    """Browsers of conversations that one process has open at once; the one idle longest gives way."""
    browser_idle_s: Seconds = 1200.0
    """Seconds without a step after which a conversation's browser is closed."""
    browser_step_timeout_s: Seconds = 30.0
    """Seconds that one step in a browser may take."""
    browser_memory_bytes: Bytes = 2 * 2**30
    """Bytes of memory that the browsers of one owner may have together; beyond that they are closed."""
    browser_screenshots: bool = True
    """Keep a picture of what every step has led to, as a file of the caller's."""
    browser_screenshot_hours: Span = 168.0
    """Hours for which such a picture is kept."""
