"""`graphnexus index`: what file search searches by."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from server import flags
from server.cli import COMMANDS
from server.data import make_directory
from server.settings import Settings

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
