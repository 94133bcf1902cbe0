"""`graphnexus eval compare`: two results beside each other; exit status 1 where something regressed."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from evals.comparing.bench import NOISE, compare_benches
from evals.comparing.compare import compare
from evals.comparing.page import bench_comparison_page, comparison_page
from evals.comparing.table import shown, shown_benches
from evals.report.reading import NAME, BenchResult, read_any
from evals.results import RunResult
from evals.unfit import Unfit

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
FailOn = Literal["suite", "case", "any"]


@app.command("compare")
def main(
    before: Annotated[
        Path, typer.Argument(help="A run's directory or result.json; a bench's --out, or many in a directory.")
    ],
    after: Annotated[Path, typer.Argument(help="The same, of what is compared with it.")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page here, too.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here, too.")] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            help="suite: the pass rate fell beyond chance. case: or one case did. any: or one case fell at all."
        ),
    ] = "case",
    noise: Annotated[float, typer.Option(help="Of a bench: what part of a figure may be chance.")] = NOISE,
) -> None:
    """Exit status 0: nothing regressed, 1: something did, 2: a result cannot be read."""
    old, new = _results(before), _results(after)
    if isinstance(old, RunResult) and isinstance(new, RunResult):
        runs = compare(old, new)
        told, made, page, regressed = shown(runs), runs, comparison_page(runs), runs.regressed(fail_on)
    elif isinstance(old, list) and isinstance(new, list):
        benches = compare_benches(old, new, noise)
        told, made, page, regressed = (
            shown_benches(benches), benches, bench_comparison_page(benches), benches.regressed
        )  # fmt: skip
    else:
        raise Unfit(f"{before} and {after} are a run and a bench: compare two of a kind.")
    Console().print(told)
    for path, text in ((html, page), (json, made.model_dump_json(indent=1))):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    raise typer.Exit(1 if regressed else 0)


def _results(path: Path) -> RunResult | list[BenchResult]:
    """A directory without a run's result is one of benches. Raises `Unfit`."""
    if path.is_dir() and not (path / NAME).exists() and (files := sorted(path.glob("*.json"))):
        found = [read_any(file) for file in files]
        if runs := [file for file, one in zip(files, found, strict=True) if isinstance(one, RunResult)]:
            raise Unfit(f"{runs[0]} is the result of a run: name it, instead of the directory {path}.")
        return [one for one in found if isinstance(one, BenchResult)]
    one = read_any(path)
    return one if isinstance(one, RunResult) else [one]
