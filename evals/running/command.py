"""`graphnexus eval run`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from evals.environment import quiet_inspect
from evals.report.files import write
from evals.report.reading import NAME
from evals.report.table import shown
from evals.running.progress import Live
from evals.running.run import run
from evals.running.summing import epochs, out_of
from evals.suite.reading import find, read
from evals.suite.schema import Case, Suite
from evals.unfit import Unfit

_ABOUT = """Ask a server or a graph the cases of a suite, and grade what comes. Exit status: 0 all thresholds hold,
1 one does not, 2 something could not be run."""


def app(line: Sequence[str], prog_name: str) -> None:
    given = _options(prog_name).parse_args(line)
    wanted = read(find(given.suite))
    suite = _chosen(_changed(wanted, given), given.case, given.tag)
    _run(suite, given.out or out_of(wanted, f"{datetime.now(UTC):%Y%m%d-%H%M%S}"), given)


def _options(prog_name: str) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog=prog_name, description=_ABOUT)
    add = options.add_argument
    add("suite", help="a suite's file (YAML or JSONL), or the name of a shipped one")
    add("--model", help="the model to ask; default: the suite's, else the server's first")
    add("--url", help="the server's API; default: the suite's, else OPENAI_BASE_URL, else http://127.0.0.1:8000/v1")
    add("--epochs", type=_count, help="how often each case is asked")
    add("--case", action="append", metavar="ID", help="only this case; may be said several times")
    add("--tag", action="append", help="only cases of this tag; may be said several times")
    add("--concurrency", type=_count, metavar="N", help="cases at once")
    add("--pass-rate", type=_share, metavar="X", help="what must pass, from 0 to 1")
    add("--out", type=Path, metavar="DIR", help="where the run is kept; the same again goes on with an unfinished run")
    add("--junit", type=Path, metavar="FILE", help="write the result as JUnit XML, too")
    add("--html", type=Path, metavar="FILE", help="write the report here instead of report.html in --out")
    return options


def _count(said: str) -> int:
    if not said.isdecimal() or int(said) < 1:
        raise argparse.ArgumentTypeError(f"{said!r} is no number from 1")
    return int(said)


def _share(said: str) -> float:
    share = float(said)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{said!r} is not from 0 to 1")
    return share


def _run(suite: Suite, directory: Path, given: argparse.Namespace) -> None:
    quiet_inspect()
    console = Console(stderr=True)
    total = sum(len(epochs(suite, case.epochs)) for case in suite.cases)
    with Live(console, total) as live:
        result = asyncio.run(run(suite, directory, live.told))
    write(result, json=directory / NAME, junit=given.junit, html=given.html or directory / "report.html")
    Console().print(shown(result))
    console.print(f"Kept in {directory}: result.json, report.html, logs for `inspect view`.", highlight=False)
    sys.exit(result.status)


def _changed(suite: Suite, given: argparse.Namespace) -> Suite:
    target = suite.target.model_copy()
    if given.url:
        target.url, target.graph = given.url, None
    target.model = given.model or target.model
    thresholds = suite.thresholds.model_copy()
    if given.pass_rate is not None:
        thresholds.pass_rate = given.pass_rate
    changed = {"target": target, "thresholds": thresholds, "concurrency": given.concurrency or suite.concurrency}
    return suite.model_copy(update={**changed, "epochs": given.epochs or suite.epochs})


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
