"""A comparison in a terminal: regressions first."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.comparing.bench import BarChange, BenchComparison
from evals.comparing.comparison import CaseChange, Change, Comparison
from evals.report.table import plain

STYLES = {
    "regressed": "bold red",
    "missed": "bold red",
    "worse": "red",
    "dearer": "red",
    "gone": "yellow",
    "improved": "bold green",
    "better": "green",
    "cheaper": "green",
    "new": "cyan",
    "unclear": "default",
    "same": "dim",
}
_REASON_CHARS = 200
#: Cases that moved, shown beside those that regressed.
_OTHERS = 20


def shown(comparison: Comparison) -> RenderableType:
    cases = [case for case in comparison.cases if case.move != "same"]
    parts: list[RenderableType] = [_sides(comparison), Text()]
    if cases:
        most = comparison.count("regressed") + _OTHERS
        left = Text(f"… and {len(cases) - most} more that moved: see --html", "dim") if len(cases) > most else Text()
        parts += [_cases(cases[:most]), left, Text()]
    parts += [_changes([comparison.pass_rate, comparison.score, *comparison.graders], "over all"), Text()]
    if comparison.tags:
        parts += [_changes(comparison.tags, "pass rate by tag"), Text()]
    return Group(*parts, _costs(comparison.costs), Text(), *_whole(comparison))


def shown_benches(comparison: BenchComparison) -> RenderableType:
    table = _table("", "figure", ">before", ">after", "unit", ">×", ">at most")
    for bar in comparison.bars:
        table.add_row(_word(bar.course), Text(plain(bar.name)), *_values(bar))
    worse = [bar.name for bar in comparison.bars if bar.course in {"missed", "dearer"}]
    said = f"{len(worse)} of {len(comparison.bars)} figures got dearer beyond noise" if worse else "Nothing got dearer"
    return Group(table, Text(), Text(said, "bold red" if worse else "bold green"))


def _values(bar: BarChange) -> tuple[str, str, str, str, str]:
    before, after = ("" if value is None else f"{value:.2f}" for value in (bar.before, bar.after))
    return before, after, bar.unit, f"{bar.ratio:.2f}" if bar.ratio is not None else "", f"{bar.limit:g}"


def _table(*columns: str) -> Table:
    """Of names with `>` before them the column is to the right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    return table


def _word(word: str) -> Text:
    return Text(word, STYLES[word])


def _sides(comparison: Comparison) -> Table:
    table = _table("", "run", "suite", "model", "target", ">cases", ">faults")
    for name, side in (("before", comparison.before), ("after", comparison.after)):
        told = (side.run, side.suite, side.model or "", side.target)
        table.add_row(Text(name, "bold"), *(Text(plain(one)) for one in told), str(side.cases), str(side.faults))
    return table


def _cases(cases: Sequence[CaseChange]) -> Table:
    table = _table("", "case", ">passed", ">score", "grader", "why")
    for case in cases:
        moved = next((grade for grade in case.grades if grade.score[0] != grade.score[1]), None)
        table.add_row(
            _word(case.move),
            Text(case.id),
            f"{_part(case.passed[0])} → {_part(case.passed[1])}",
            f"{_score(case.score[0])} → {_score(case.score[1])}",
            Text(moved.grader if moved else ""),
            Text(plain(moved.why[1])[:_REASON_CHARS] if moved else ""),
        )
    return table


def _part(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _changes(changes: Sequence[Change], name: str) -> Table:
    table = _table(name, ">before", ">after", ">by", "likely", ">p", "")
    for one in changes:
        likely = f"{one.low * 100:+.1f} to {one.high * 100:+.1f}"
        parts = (f"{one.before:.1%}", f"{one.after:.1%}", f"{one.by * 100:+.1f}", likely, f"{one.p:.3f}")
        table.add_row(Text(plain(one.name)), *parts, _word(one.verdict))
    return table


def _costs(costs: Sequence[Change]) -> Table:
    table = _table("a case", ">before", ">after", ">×", "likely", ">p", "")
    for one in costs:
        digits = 2 if one.unit == "s" else 0
        values = (f"{one.before:.{digits}f} {one.unit}", f"{one.after:.{digits}f} {one.unit}")
        table.add_row(
            one.name, *values, f"{one.by:.2f}", f"{one.low:.2f} to {one.high:.2f}", f"{one.p:.3f}", _word(one.verdict)
        )
    return table


def _whole(comparison: Comparison) -> Iterator[Text]:
    rate = comparison.pass_rate
    said = {
        "worse": f"The pass rate fell by {-rate.by * 100:.1f} points: more than chance",
        "better": f"The pass rate rose by {rate.by * 100:.1f} points: more than chance",
        "unclear": f"The pass rate moved by {rate.by * 100:+.1f} points, which may be chance",
        "same": "The pass rate is the same",
    }[rate.verdict]
    yield Text(f"{said} ({rate.cases} cases asked on both sides).", STYLES[rate.verdict])
    kinds = {"regressed": "regressed", "worse": "fell, perhaps by chance", "improved": "improved", "gone": "gone"}
    counts = [f"{comparison.count(kind)} {words}" for kind, words in kinds.items() if comparison.count(kind)]  # type: ignore[arg-type]  # keys are moves
    yield Text(", ".join(counts) + "." if counts else "No case moved.")
    if comparison.after.faults:
        yield Text(f"{comparison.after.faults} faults after: these cases count as failed.", "magenta")
