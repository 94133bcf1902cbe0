"""`graphnexus mcp`: the operator's MCP servers, and the logins to them."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from server import flags
from server.cli import COMMANDS
from server.data import open_store
from server.settings import Settings

if TYPE_CHECKING:
    from checkpoints import Store
    from nodes.mcp.oauth.credential import Credential, Vault
    from nodes.mcp.oauth.grants import Entrance
    from server.mcp_desk import LoopbackDesk

mcp = typer.Typer(no_args_is_help=True, help=COMMANDS["mcp"])
_DATA = ("data_dir",)
Label = Annotated[str, typer.Argument(help="As the settings file calls the server.")]


@mcp.command("list")
@flags.with_settings((*_DATA, "mcp_connect_timeout_s", "log_level"))
def list_(settings: Settings, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Ask every configured server for its tools. The exit status is 1 when one of them does not answer."""
    from server import log, mcp_servers

    log.configure(settings.log_level, settings.log_format)
    standings = asyncio.run(mcp_servers.found(settings))
    print(mcp_servers.as_json(standings) if as_json else mcp_servers.as_text(standings))
    sys.exit(any(standing.state == "down" for standing in standings))


@mcp.command("login")
@flags.with_settings((*_DATA, "mcp_connect_timeout_s"))
def login(
    settings: Settings,
    label: Label,
    callback_port: Annotated[
        int, typer.Option("--port", help="Port of the page one is sent back to; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the page to open.")] = False,
    wait_s: Annotated[float, typer.Option("--timeout", help="Seconds to wait for the person.", min=1)] = 300.0,
) -> None:
    """Let the server use an MCP server that wants OAuth. A running server needs no restart."""
    from nodes.mcp.oauth.wire import OAuthFailed
    from server.mcp_desk import open_desk

    entrance = _entrance(settings, label)

    async def done() -> "Credential":
        opened = open_desk(callback_port, browser=not no_browser, limit_s=wait_s)
        async with open_store(settings) as store, opened as desk:
            return await _login(settings, store, entrance, desk)

    try:
        credential = asyncio.run(done())
    except OAuthFailed as failed:
        sys.exit(f"graphnexus: no login to '{label}': {failed}")
    scopes = f"scopes {credential.scope}" if credential.scope else "no scopes named"
    print(f"Logged in to '{label}': {scopes}, {credential.expiry}.")


@mcp.command("logout")
@flags.with_settings(_DATA)
def logout(settings: Settings, label: Label) -> None:
    """Forget a login. A running server follows within seconds."""

    async def dropped() -> bool:
        async with open_store(settings) as store:
            return await _vault(settings, store).drop(label)

    if not asyncio.run(dropped()):
        sys.exit(f"graphnexus: there is no login to '{label}'")
    print(f"Logged out of '{label}'.")


def _entrances(settings: Settings) -> "dict[str, Entrance]":
    from nodes.mcp.oauth.grants import entrances

    return entrances(settings.mcp_server)


def _entrance(settings: Settings, label: str) -> "Entrance":
    entrances = _entrances(settings)
    if label not in entrances:
        there = f"there are: {', '.join(sorted(entrances))}" if entrances else "no server has any"
        sys.exit(f"graphnexus: there is no MCP server '{label}' with `oauth` in the settings; {there}")
    return entrances[label]


async def _login(settings: Settings, store: "Store", entrance: "Entrance", desk: "LoopbackDesk") -> "Credential":
    from nodes.mcp.oauth.login import login
    from server.secret import check_seal

    if settings.database.kind == "postgresql":
        await check_seal(settings, store.facts)
    wire = entrance.wire(settings.mcp_connect_timeout_s)
    return await login(entrance, _vault(settings, store), wire, desk)


def _vault(settings: Settings, store: "Store") -> "Vault":
    from nodes.mcp.oauth.credential import Vault
    from server.secret import seal_of

    return Vault(store.credentials, seal_of(settings))
