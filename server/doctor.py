"""What is configured, what can be reached, what is missing, and the fix."""

import asyncio
import os
import platform
import shutil
from collections.abc import AsyncIterator
from typing import cast

import openai
from rich.console import Console
from rich.text import Text

from nodes.upstreams.discovery import KNOWN, discover
from nodes.upstreams.upstream import Upstream
from server import __version__, browsing, checkup, mcp_servers, sandboxes
from server.auth import check_reach
from server.finding import Finding
from server.serve import check_workers, listen
from server.settings import BadSetting, ModelServer, Settings, unknown_variables

_ANSWER_TIMEOUT_S = 10.0
_FEW_BYTES = 256 * 2**20
_MARKS = {"fine": ("✓", "green"), "note": ("•", "yellow"), "broken": ("✗", "red")}


async def run(settings: Settings) -> int:
    """Print the findings; 1 when something that is needed is broken, else 0."""
    console = Console(highlight=False, soft_wrap=True)
    broken = 0
    async for finding in examine(settings):
        mark, colour = _MARKS[finding.state]
        console.print(Text.assemble((mark, colour), f" {finding.what}"))
        if finding.fix:
            console.print(Text(f"    {finding.fix}"))
        broken += finding.state == "broken"
    return 1 if broken else 0


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Everything worth saying, most basic first."""
    yield Finding("fine", f"GraphNexus {__version__} on Python {platform.python_version()}")
    yield _configured(settings)
    for name in unknown_variables():
        yield Finding("note", f"The variable {name} is no setting.", "`graphnexus serve --help` lists the settings.")
    yield _directory(settings)
    kept_keys = 0
    async for found in checkup.examine(settings):
        if isinstance(found, Finding):
            yield found
        else:
            kept_keys = len(await found.keys.list())
    for finding in await mcp_servers.findings(settings) if settings.mcp_server else ():
        yield finding
    if settings.sandbox != "off":
        yield sandboxes.packages(settings)
    yield await browsing.examined(settings)
    yield _workers(settings)
    yield _door(settings, kept_keys)
    yield _port(settings)
    async for finding in _models(settings):
        yield finding


def _configured(settings: Settings) -> Finding:
    shown = {name: _shown(getattr(settings, name)) for name in sorted(settings.model_fields_set)}
    if settings.database_url:
        shown["database_url"] = str(settings.database)
    given = [f"{name}={value}" for name, value in shown.items()]
    return Finding("fine", f"Settings: {', '.join(given) or 'all defaults'}")


def _shown(value: object) -> str:
    """A value without what is secret in it."""
    return ",".join(_shown(one) for one in cast("tuple[object]", value)) if isinstance(value, tuple) else str(value)


def _directory(settings: Settings) -> Finding:
    directory = settings.directory
    fix = "Choose another with --data-dir, or GRAPHNEXUS_DATA_DIR."
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Finding("broken", f"The data directory {directory} cannot be made: {error.strerror}.", fix)
    if not os.access(directory, os.W_OK):
        return Finding("broken", f"The data directory {directory} cannot be written to.", fix)
    free_bytes = shutil.disk_usage(directory).free
    state = "note" if free_bytes < _FEW_BYTES else "fine"
    return Finding(state, f"The data directory {directory} has {free_bytes // 2**20} MiB to spare.")


def _workers(settings: Settings) -> Finding:
    try:
        check_workers(settings)
    except BadSetting as error:
        return Finding("broken", "Several processes cannot share a file.", f"{error}.")
    return Finding(
        "fine", f"{settings.workers} processes will serve." if settings.workers > 1 else "One process will serve."
    )


def _door(settings: Settings, kept_keys: int) -> Finding:
    try:
        check_reach(settings, lambda: kept_keys > 0)
    except BadSetting as error:
        return Finding("broken", "Other machines could call this server without a key.", f"{error}.")
    keys = kept_keys + len(settings.api_keys)
    if keys:
        return Finding("fine", f"Callers need one of {keys} API keys.")
    if settings.loopback:
        return Finding("fine", "Callers need no key; only this machine can reach the server.")
    return Finding("note", f"Whoever can reach {settings.host} may call, without a key (--insecure).")


def _port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    try:
        listen(settings.host, settings.port).close()
    except OSError as error:
        return Finding("note", f"Cannot listen on {where} now: {error.strerror}.", "Fine while the server runs there.")
    return Finding("fine", f"The address {where} is free.")


async def _models(settings: Settings) -> AsyncIterator[Finding]:
    servers = settings.model_servers()
    if servers:
        for finding in await asyncio.gather(*(_asked(server) for server in servers)):
            yield finding
        return
    found = await discover(settings.port) if settings.discover else []
    for server in found:
        yield Finding("fine", f"{server.name} was found at {server.url}.")
    if not found:
        known = ", ".join(server.name for server in KNOWN)
        looked = f"None of {known} runs here" if settings.discover else "Looking for model servers is switched off"
        yield Finding("note", f"{looked}: the built-in model `demo` answers.", "Name a model server: --upstream URL")


async def _asked(server: ModelServer) -> Finding:
    """Whether a model server that was named lists its models."""
    name = server.name or server.url
    key = server.key.get_secret_value() if server.key else "none"
    direct = openai.DefaultAsyncHttpxClient(trust_env=not Upstream(server.url).loopback, timeout=_ANSWER_TIMEOUT_S)
    async with openai.AsyncOpenAI(base_url=server.url, api_key=key, max_retries=0, http_client=direct) as client:
        try:
            models = [model.id async for model in client.models.list()]
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            return Finding("broken", f"{name} refuses the key.", "Set OPENAI_API_KEY, or `key` of this upstream.")
        except openai.APIStatusError as error:
            fix = "" if server.url.endswith("/v1") else f"Most servers want {server.url}/v1."
            return Finding("note" if server.models else "broken", f"{name} lists no models: {error.status_code}.", fix)
        except openai.APIConnectionError as error:
            reason = str(error.__cause__ or error).rstrip(".")
            return Finding("broken", f"{name} cannot be reached: {reason}.", "Start it, or correct its URL.")
    return Finding("fine", f"{name} has {len(models)} models: {', '.join(models[:5])}{' …' if len(models) > 5 else ''}")
