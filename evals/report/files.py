"""Reports as files."""

from collections.abc import Callable
from pathlib import Path

from evals.report.junit import junit as junit_of
from evals.report.page import run_page
from evals.results import RunResult


def write(result: RunResult, json: Path | None = None, junit: Path | None = None, html: Path | None = None) -> None:
    """Those that are named; directories above them are made."""
    written: list[tuple[Path | None, Callable[[RunResult], str]]] = [
        (json, lambda of: of.model_dump_json(indent=1)),
        (junit, junit_of),
        (html, run_page),
    ]
    for path, made in written:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made(result), encoding="utf-8")
