"""What `graphnexus mcp list` and `doctor` say of the operator's MCP servers."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from nodes.mcp.configured import Servers
from nodes.mcp.limits import Limits
from nodes.mcp.oauth.credential import Vault
from server.data import open_store
from server.finding import Finding
from server.secret import seal_of
from server.settings import Settings

if TYPE_CHECKING:
    from nodes.mcp.oauth.grants import Grants
    from nodes.mcp.standing import Standing


async def found(settings: Settings) -> "list[Standing]":
    """Of every table, in the order of the settings file."""
    from nodes.mcp.standing import Standing, standings  # takes most of a second

    async with _grants(settings) as grants:
        enabled = Servers.of(settings.mcp_server, grants).all
        asked = {one.label: one for one in await standings(enabled, _limits(settings))}
    return [asked.get(table.label) or Standing(table.label, "", "disabled") for table in settings.mcp_server]


async def findings(settings: Settings) -> list[Finding]:
    return [_finding(standing) for standing in await found(settings)]


def as_json(standings: "Sequence[Standing]") -> str:
    return json.dumps([asdict(standing) for standing in standings], indent=2, ensure_ascii=False)


def as_text(standings: "Sequence[Standing]") -> str:
    """One line a server."""
    if not standings:
        return "No MCP server is configured; see docs/mcp.md."
    width = max(len(standing.label) for standing in standings)
    return "\n".join(f"{standing.label:{width}}  {_line(standing)}".rstrip() for standing in standings)


def _line(standing: "Standing") -> str:
    said = f"{standing.tools} tools" if standing.tools is not None else standing.error or ""
    shown = [standing.login] if standing.login == "login needed" else [said, standing.login]
    return f"{standing.transport:15}  {standing.state:9}  {', '.join(filter(None, shown))}"


def _finding(standing: "Standing") -> Finding:
    if standing.state == "disabled":
        return Finding("note", f"The MCP server {standing.label} is disabled.")
    if standing.login == "login needed":
        return Finding(
            "note", f"The MCP server {standing.label} needs a login.", f"graphnexus mcp login {standing.label}"
        )
    if standing.state == "down":
        fix = "Start it, or correct its table in the settings file; `--log-level debug` tells what a program says."
        return Finding("note", f"The MCP server {standing.label} does not answer: {standing.error}", fix)
    return Finding("fine", f"The MCP server {standing.label} has {standing.tools} tools.")


@asynccontextmanager
async def _grants(settings: Settings) -> AsyncGenerator["Grants | None"]:
    """Tokens for the servers that are entered by OAuth; the store is left alone if there are none."""
    from nodes.mcp.oauth.grants import Grants, entrances

    logins = entrances(settings.mcp_server)
    if not logins:
        yield None
        return
    async with open_store(settings) as store:
        grants = Grants(logins, Vault(store.credentials, seal_of(settings)), settings.mcp_connect_timeout_s)
        try:
            yield grants
        finally:
            await grants.close()


def _limits(settings: Settings) -> Limits:
    return Limits(connect_timeout_s=settings.mcp_connect_timeout_s)
