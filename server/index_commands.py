"""`graphnexus index`: what file search searches by."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server import flags
from server.cli import COMMANDS
from server.data import make_directory, open_store
from server.settings import BadSetting, Settings

if TYPE_CHECKING:
    from nodes.file_search.chroma.draining import Draining

_CHROMA = ("data_dir", "file_search_chroma")

index = typer.Typer(no_args_is_help=True, help=COMMANDS["index"])


@index.callback()
def _root() -> None: ...  # pyright: ignore[reportUnusedFunction]  # Typer has it: one command alone would lose its name


@index.command("model")
@flags.with_settings(("data_dir", "file_search_embedding_languages"))
def model(
    settings: Settings,
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A directory or a .tar.gz with model.onnx and tokenizer.json. Default: all-MiniLM-L6-v2 is fetched.",
            exists=True,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Put the model in place that `file_search_embedding = "local"` makes vectors with: 83 MB from Chroma's storage,
    checked against its SHA-256, or one of your own. A server that runs takes it at its next start."""
    from nodes.file_search.model import NoModel, fetch, take

    make_directory(settings)
    try:
        if path:
            made = take(settings.directory, path, settings.file_search_embedding_languages)
        else:
            made = fetch(settings.directory, print)
    except (NoModel, OSError) as reason:
        sys.exit(f"graphnexus: the model could not be put in place: {reason}")
    print(f"{made.directory}: {made.digest[:16]}, of {', '.join(made.languages) or 'languages it does not say'}")


@index.command("rebuild")
@flags.with_settings(_CHROMA)
def rebuild(settings: Settings) -> None:
    """Have Chroma told everything anew, by the servers that run or the next that starts. Searches look at every vector
    until then."""

    async def act() -> None:
        async with _chroma(settings) as chroma:
            print(f"{await chroma.rebuild()} files are told to Chroma anew, as far as their stores are large.")

    asyncio.run(_said(act()))


@index.command("status")
@flags.with_settings(_CHROMA)
def status(settings: Settings) -> None:
    """Say what Chroma has. Files of small stores wait until the stores are large."""

    async def act() -> None:
        async with _chroma(settings) as chroma:
            has = await chroma.status()
            print(f"{len(has.collections)} collections, {sum(has.collections.values())} vectors.")
            print(f"{has.waiting} files wait.")

    asyncio.run(_said(act()))


async def _said(act: Coroutine[None, None, None]) -> None:
    from nodes.file_search.chroma.client import ChromaFailed

    try:
        await act
    except ChromaFailed as failed:
        sys.exit(f"graphnexus: {failed}")


@asynccontextmanager
async def _chroma(settings: Settings) -> AsyncGenerator["Draining"]:
    from checkpoints.windows import Windows
    from server.beside import beside

    async with open_store(settings) as store:
        _, draining = beside(settings, store, Windows(store.database))
        if draining is None:
            raise BadSetting("file_search_chroma: it is off")
        try:
            yield draining
        finally:
            await draining.close()
