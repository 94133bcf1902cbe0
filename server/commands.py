"""What the commands do: each reads its settings, builds what it needs and says what happens."""

import asyncio
import gc
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from socket import socket
from typing import TYPE_CHECKING, Annotated

import typer

from server import flags, index_commands, mcp_commands, sandbox_commands
from server.auth import check_reach
from server.cli import COMMANDS
from server.data import check_model, check_storage, make_directory, open_store
from server.settings import BadSetting, Settings

if TYPE_CHECKING:
    from checkpoints import Key

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
keys = typer.Typer(no_args_is_help=True, help=COMMANDS["keys"])
app.add_typer(keys, name="keys")
app.add_typer(index_commands.index, name="index")
app.add_typer(mcp_commands.mcp, name="mcp")
app.add_typer(sandbox_commands.sandbox, name="sandbox")

_DATA = ("data_dir",)


def call(line: Sequence[str]) -> None:
    """Run `["serve", "--port", "9000"]`. A bad setting is one line, and exit status 2."""
    try:
        app(line, prog_name="graphnexus")
    except BadSetting as error:
        print(f"graphnexus: {error}", file=sys.stderr)
        sys.exit(2)


@app.command("serve", help=COMMANDS["serve"])
@flags.with_settings(flags.ALL)
def serve(settings: Settings) -> None:
    gc.disable()  # until it serves: what is imported stays, and looking at it over and over costs a tenth of the start
    from server import log
    from server.occupied import occupied
    from server.serve import check_workers, serve

    log.configure(settings.log_level, settings.log_format)
    make_directory(settings)
    check_workers(settings)
    check_storage(settings)
    check_model(settings)
    with occupied(settings.database):
        asyncio.run(_check_store(settings))
        with _listen(settings) as listening:
            status = serve(settings, listening)
    sys.exit(status)


@app.command("doctor", help=COMMANDS["doctor"])
@flags.with_settings(flags.ALL)
def doctor(settings: Settings) -> None:
    from server import doctor, log

    log.configure(settings.log_level, settings.log_format)
    sys.exit(asyncio.run(doctor.run(settings)))


@app.command("demo", help=COMMANDS["demo"])
def demo() -> None:
    from server import demo

    demo.run()


@app.command("settings", help=COMMANDS["settings"])
def settings() -> None:
    print(flags.table())


@app.command("prune", help=COMMANDS["prune"])
@flags.with_settings(_DATA)
def prune(
    settings: Settings,
    older_than: Annotated[
        str | None,
        typer.Option(
            help="Remove responses made, and conversations last used, that long ago: 30d, 12h, 90m. "
            "Default: response_ttl_days and conversation_ttl_days.",
            metavar="AGE",
            show_default=False,
        ),
    ] = None,
    events_older_than: Annotated[
        str | None,
        typer.Option(
            help="Remove the events of responses that ended that long ago. Default: event_ttl_hours.",
            metavar="AGE",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    from server import pruning

    ages = pruning.ages_of(settings, older_than, events_older_than)

    async def done() -> str:
        async with open_store(settings) as store:
            return await pruning.by_hand(store.retention, ages, dry=dry_run)

    print(asyncio.run(done()))


@keys.command("create")
@flags.with_settings(_DATA)
def create(
    settings: Settings,
    owner: Annotated[str, typer.Argument(help="Whose rows the key opens; several keys may share an owner.")],
    label: Annotated[str, typer.Option(help="What the key is for.")] = "",
) -> None:
    """Make a key. It is printed once and kept only as a hash."""

    async def made() -> str:
        async with open_store(settings) as store:
            return await store.keys.create(owner, label)

    print(asyncio.run(made()))


@keys.command("list")
@flags.with_settings(_DATA)
def list_(settings: Settings) -> None:
    """List the keys ever made, oldest first."""
    for key in asyncio.run(_kept_keys(settings)):
        state = f"revoked {_day(key.revoked_at)}" if key.revoked_at else "valid"
        print(f"{key.id}  {key.owner}  {state}  made {_day(key.created_at)}  {key.label}".rstrip())


@keys.command("revoke")
@flags.with_settings(_DATA)
def revoke(settings: Settings, id: Annotated[str, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Make a key worthless; a running server follows within seconds."""

    async def revoked() -> bool:
        async with open_store(settings) as store:
            return await store.keys.revoke(id)

    if not asyncio.run(revoked()):
        sys.exit(f"graphnexus: there is no valid key {id}; see `graphnexus keys list`")
    print(f"{id} is revoked.")


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()


async def _kept_keys(settings: Settings) -> list["Key"]:
    """Every key ever made."""
    async with open_store(settings) as store:
        return await store.keys.list()


async def _check_store(settings: Settings) -> None:
    """What is known only when it is open; it is migrated on the way."""
    from server.secret import check_seal

    async with open_store(settings) as store:
        keys = await store.keys.list()
        check_reach(settings, lambda: bool(keys))
        if settings.database.kind == "postgresql":
            await check_seal(settings, store.facts)


def _listen(settings: Settings) -> socket:
    from server.serve import listen

    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        sys.exit(
            f"graphnexus: cannot listen on {settings.host}:{settings.port}: {reason}; "
            "stop what is there, or choose another --port"
        )
