"""A result in a terminal: what failed and why, then what it all came to."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.report.outcome import MARKS, Outcome, first_reason, outcome
from evals.report.summary import Share, by_grader, by_tag, middle
from evals.results import CaseResult, Figure, Held, RunResult

STYLES: dict[Outcome, str] = {
    "passed": "green",
    "flaky": "yellow",
    "failed": "red",
    "fault": "bold magenta",
    "missing": "dim",
}
VERDICTS = {0: ("ok", "bold green"), 1: ("below its thresholds", "bold red"), 2: ("faults", "bold magenta")}
_REASON_CHARS = 300
_NUMBERS = {"score", "s", "tokens", "passed", "mean"}


def shown(result: RunResult, every_case: bool = False) -> RenderableType:
    """Cases that did not pass (or all of them), graders, tags, thresholds, and one line for the whole."""
    cases = [case for case in result.cases if every_case or outcome(case) != "passed"]
    parts: list[RenderableType] = []
    if cases:
        parts += [_cases(cases), Text()]
    if graders := by_grader(result):
        parts += [_shares("grader", graders), Text()]
    if tags := by_tag(result):
        parts += [_shares("tag", tags), Text()]
    if result.thresholds:
        parts += [_thresholds(result.thresholds), Text()]
    return Group(*parts, *_whole(result))


def plain(text: str) -> str:
    """In one line, and without what would steer the terminal."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", overflow="fold")
    return table


def _cases(cases: list[CaseResult]) -> Table:
    table = _table("", "case", "passed", "score", "s", "tokens", "why")
    for case in cases:
        what = outcome(case)
        table.add_row(
            Text(MARKS[what], STYLES[what]),
            Text(case.id),
            f"{sum(one.passed for one in case.attempts)}/{len(case.attempts)}",
            f"{case.score:.2f}",
            f"{middle([one.seconds for one in case.attempts]):.1f}",
            f"{middle([one.usage.total for one in case.attempts]):.0f}",
            Text(plain(first_reason(case))[:_REASON_CHARS]),
        )
    return table


def _shares(kind: str, shares: list[Share]) -> Table:
    table = _table(kind, "passed", "mean", "")
    for share in shares:
        style = "green" if share.passed == share.count else "red"
        counted = f"{share.passed}/{share.count}"
        table.add_row(Text(share.name), counted, f"{share.score:.2f}", Text(_bar(share.rate), style))
    return table


def _bar(part: float, cells: int = 20) -> str:
    return ("━" * round(part * cells)).ljust(cells, "╌")


def _thresholds(thresholds: list[Held]) -> Table:
    table = _table("threshold", "wanted", "reached", "")
    for held in thresholds:
        word = Text("holds", "green") if held.holds else Text("MISSED", "bold red")
        table.add_row(Text(held.name), f"{held.wanted:g}", f"{held.reached:g}", word)
    return table


def _whole(result: RunResult) -> Iterator[Text]:
    word, style = VERDICTS[result.status]
    passed = sum(outcome(case) == "passed" for case in result.cases)
    yield Text.assemble(
        (result.suite, "bold"),
        f": {passed} of {len(result.cases)} cases passed",
        f" ({_interval(result.pass_rate)})" if result.pass_rate else "",
        ", ",
        (word, style),
    )
    for name, figures in (("pass@", result.pass_at), ("pass^", result.pass_all)):
        if figures:
            yield Text("  ".join(f"{name}{k} {_interval(figure)}" for k, figure in figures.items()), "dim")
    missing = "" if result.complete else "; not complete"
    tokens = f"{result.usage.input:,} tokens in, {result.usage.output:,} out"
    yield Text(f"{result.seconds:.1f} s, {tokens}; {result.faults} faults{missing}", "dim")


def _interval(figure: Figure) -> str:
    return f"{figure.value:.1%}, likely {figure.low:.1%} to {figure.high:.1%}"
