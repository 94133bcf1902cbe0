"""`graphnexus eval view`: a result in the browser."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from evals.report.page import bench_page, run_page
from evals.report.reading import read_any
from evals.report.serving import LOOPBACK, free_port, serve
from evals.results import RunResult
from evals.unfit import Unfit

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def view(
    path: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="The directory of a run, its result.json, or a bench's --out.")
    ],
    inspect: Annotated[bool, typer.Option("--inspect", help="Show its logs with inspect's own viewer.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page here and end.")] = None,
    port: Annotated[int, typer.Option(help="Of 127.0.0.1; 0 is a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Serve the report of a run, or of a bench, on this machine until interrupted, and open the browser."""
    if inspect:
        _inspect(path, port)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page_of(path), encoding="utf-8")
        return
    page_of(path)
    serve(lambda: page_of(path), port, browser)


def page_of(path: Path) -> str:
    """Raises `Unfit`."""
    found = read_any(path)
    return run_page(found) if isinstance(found, RunResult) else bench_page(path.stem, found)


def _inspect(path: Path, port: int) -> NoReturn:
    """Become its viewer, on loopback; what models said is shown as plain text."""
    if find_spec("inspect_ai") is None:
        raise Unfit("inspect_ai is not installed: it comes with the extra 'evals' (uv sync --extra evals).")
    directory = path if path.is_dir() else path.parent
    if not directory.is_dir():
        raise Unfit(f"{directory} does not exist: name the directory of a run.")
    where = ["--host", LOOPBACK, "--port", str(port or free_port()), "--log-dir", str(directory.resolve())]
    line = [sys.executable, "-m", "inspect_ai", "view", "start", "--recursive", "--no-trust-content", *where]
    os.execv(sys.executable, line)  # noqa: S606  # our own interpreter, our own words
