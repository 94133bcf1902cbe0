"""`graphnexus sandbox`: the Python of sandboxes, and whether they can be opened here."""

import asyncio
import json
import sys
import time
from typing import Annotated

import typer

from server import flags
from server.cli import COMMANDS
from server.data import make_directory
from server.settings import Settings

sandbox = typer.Typer(no_args_is_help=True, help=COMMANDS["sandbox"])
_OF_WAYS = (
    "data_dir",
    "sandbox",
    "sandbox_python",
    "sandbox_disk_bytes",
    "sandbox_processes",
    "sandbox_docker_image",
    "log_level",
)


@sandbox.command("install")
@flags.with_settings(("data_dir",))
def install(settings: Settings) -> None:
    """Prepare a Python with numpy, pandas, matplotlib and others, which code in sandboxes is run with. Doing it again
    does nothing; a server that runs takes it at its next start."""
    from nodes.sandbox.install import NotInstalled, install, size_bytes

    make_directory(settings)
    began = time.monotonic()
    try:
        python = install(settings.directory / "sandbox", print)
    except NotInstalled as reason:
        sys.exit(f"graphnexus: the packages of sandboxes could not be installed: {reason}")
    place = python.parent.parent
    print(f"{place}: {size_bytes(place) / 2**20:.0f} MiB, {time.monotonic() - began:.0f} s")


@sandbox.command("check")
@flags.with_settings(_OF_WAYS)
def check(
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="Print what they cost instead, as JSON.")] = False,
) -> None:
    """Try every way to have sandboxes, and what code can do in the one that is used. The exit status is 1 when there is
    none, or something does not work in it."""
    from server import log, sandbox_figures, sandboxes

    log.configure("error", settings.log_format)
    if as_json:
        print(json.dumps(asyncio.run(sandbox_figures.figures(settings))))
    else:
        sys.exit(asyncio.run(sandboxes.check(settings)))
