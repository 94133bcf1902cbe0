"""The command `graphnexus`: what there is to say, and nothing heavy, so that `--help` is quick.

The commands themselves are in `commands.py`, which is imported when one of them is called.
"""

from importlib.metadata import entry_points
from typing import Annotated

import typer

from server import __version__

#: What each command is for, in one line.
COMMANDS = {
    "serve": "Serve the API on http://127.0.0.1:8000/v1 until stopped.",
    "demo": "Start a server with the built-in model and walk through what it can do, offline.",
    "doctor": "Say what is configured, what can be reached, what is missing and how to mend it.",
    "settings": "List every setting: a flag of serve, a variable GRAPHNEXUS_…, a key of graphnexus.toml.",
    "prune": "Remove what has expired or is old; also beside a running server.",
    "keys": "Create, list and revoke the keys that open the server.",
    "index": "Fetch a model that makes vectors of texts; see to the index of large vector stores.",
    "sandbox": "Install the packages of sandboxes, and check that code can be run.",
    "mcp": "List the configured MCP servers, log in to them and out.",
    "eval": "Run evaluation suites, compare results, make cases of stored runs and replay them.",
}
#: Commands that are no part of the server: packages bring them, under this name of entry points.
_BROUGHT = "graphnexus.commands"

app = typer.Typer(
    name="graphnexus",
    help="A Responses API server over any Chat Completions model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    app(prog_name="graphnexus")


def _call(context: typer.Context) -> None:
    """Hand the rest of the line to the command itself."""
    name = context.info_name or ""
    for brought in entry_points(group=_BROUGHT, name=name):
        brought.load()([*context.args])
        return
    from server import commands

    commands.call([name, *context.args])


for name, line in COMMANDS.items():
    everything = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(name, help=line, add_help_option=False, context_settings=everything)(_call)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"graphnexus {__version__}")
        raise typer.Exit


@app.callback()
def _root(  # pyright: ignore[reportUnusedFunction]  # Typer has it
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def version() -> None:
    """Print the version."""
    _show_version(True)
