"""`graphnexus eval run`."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evals.environment import quiet_inspect
from evals.options import with_options
from evals.report.files import write
from evals.report.reading import NAME
from evals.report.table import shown
from evals.running.progress import Live
from evals.running.run import run
from evals.running.summing import epochs, out_of
from evals.suite.reading import find, read
from evals.suite.schema import Case, Suite
from evals.unfit import Unfit

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the line says."""

    suite: Annotated[str, typer.Argument(help="A suite's file (YAML or JSONL), or the name of a shipped one.")]
    model: Annotated[str | None, typer.Option(help="The model to ask. Default: the suite's, else the first.")] = None
    url: Annotated[
        str | None,
        typer.Option(help="The server's API. Default: the suite's, else OPENAI_BASE_URL, else this machine."),
    ] = None
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="How often each case is asked.")] = None
    case: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this case; may be repeated.")] = None
    tag: Annotated[list[str] | None, typer.Option(help="Only cases of this tag; may be repeated.")] = None
    concurrency: Annotated[int | None, typer.Option(min=1, metavar="N", help="Cases at once.")] = None
    pass_rate: Annotated[float | None, typer.Option(min=0, max=1, metavar="X", help="What must pass, from 0 to 1.")] = (
        None
    )
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the run is kept; the same again goes on with an unfinished run."),
    ] = None
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML, too.")] = None
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report here instead of report.html in --out.")
    ] = None


@app.command()
@with_options(Wanted)
def ask(wanted: Wanted) -> None:
    """Ask a server or a graph the cases of a suite, and grade what comes.

    Exit status: 0 all thresholds hold, 1 one does not, 2 something could not be run.
    """
    given = read(find(wanted.suite))
    suite = _chosen(_changed(given, wanted), wanted.case, wanted.tag)
    _run(suite, wanted.out or out_of(given, f"{datetime.now(UTC):%Y%m%d-%H%M%S}"), wanted)


def _run(suite: Suite, directory: Path, wanted: Wanted) -> None:
    quiet_inspect()
    console = Console(stderr=True)
    total = sum(len(epochs(suite, case.epochs)) for case in suite.cases)
    with Live(console, total) as live:
        result = asyncio.run(run(suite, directory, live.told))
    write(result, json=directory / NAME, junit=wanted.junit, html=wanted.html or directory / "report.html")
    Console().print(shown(result))
    console.print(f"Kept in {directory}: result.json, report.html, logs for `inspect view`.", highlight=False)
    sys.exit(result.status)


def _changed(suite: Suite, wanted: Wanted) -> Suite:
    target = suite.target.model_copy()
    if wanted.url:
        target.url, target.graph = wanted.url, None
    target.model = wanted.model or target.model
    thresholds = suite.thresholds.model_copy()
    if wanted.pass_rate is not None:
        thresholds.pass_rate = wanted.pass_rate
    changed = {"target": target, "thresholds": thresholds, "concurrency": wanted.concurrency or suite.concurrency}
    return suite.model_copy(update={**changed, "epochs": wanted.epochs or suite.epochs})


def _chosen(suite: Suite, ids: Sequence[str] | None, tags: Sequence[str] | None) -> Suite:
    """Raises `Unfit` when nothing is left."""
    if unknown := set(ids or ()) - {one.id for one in suite.cases}:
        raise Unfit(f"The suite {suite.name!r} has no case {', '.join(sorted(unknown))}.")
    left: list[Case] = [
        one for one in suite.cases if (not ids or one.id in ids) and (not tags or set(tags) & set(one.tags))
    ]
    if not left:
        raise Unfit(f"The suite {suite.name!r} has no case of the tag {', '.join(tags or ())}.")
    return suite.model_copy(update={"cases": left})
