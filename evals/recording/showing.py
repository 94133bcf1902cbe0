"""The diff of replays in a terminal: by case, the steps that differ."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from evals.recording.differing import Difference
from evals.recording.replayed import CaseReplay, ReplayResult, RunReplay, Step, short

_CHARS = 500


def show(result: ReplayResult, console: Console) -> None:
    """Cases that are the same are counted only."""
    for case in result.cases:
        if case.changed or case.fault:
            for line in _case(case):
                console.print(line, soft_wrap=True)
    console.print(_whole(result), soft_wrap=True)


def _case(case: CaseReplay) -> Iterator[Text]:
    steps = case.steps
    changed = sum(step.changed for _, step in steps)
    yield Text.assemble((short(case.id), "bold"), f": {changed} of {len(steps)} steps differ")
    for run in case.runs:
        yield from _run(run, len(case.runs) > 1)
    yield Text()


def _run(run: RunReplay, several: bool) -> Iterator[Text]:
    if several and (run.fault or any(step.changed for step in run.steps)):
        yield Text(f"  {short(run.response)}", "dim")
    for step in run.steps:
        if step.changed:
            yield from _step(step)
    if run.fault:
        yield Text(f"  ! {short(run.fault, _CHARS)}", "bold magenta")


def _step(step: Step) -> Iterator[Text]:
    yield Text(f"  step {step.turn}", "bold")
    for difference in step.differences:
        yield Text.assemble("    ", (_HEADS[difference.what], "yellow"), " ", _where(difference))
        if difference.what != "added":
            yield _side("-", difference.recorded, "red")
        if difference.what != "missing":
            yield _side("+", difference.made, "green")


_HEADS = {
    "arguments": "arguments of",
    "text": "text of",
    "result": "result of",
    "missing": "no longer:",
    "added": "new:",
}


def _where(difference: Difference) -> str:
    return short(f"{difference.name} at {difference.path}" if difference.path else difference.name)


def _side(mark: str, value: Any, style: str) -> Text:
    return Text(f"      {mark} {short(value, _CHARS)}", style)


def _whole(result: ReplayResult) -> Text:
    steps = sum(len(case.steps) for case in result.cases)
    requests = sum(run.requests for case in result.cases for run in case.runs)
    changed = sum(case.changed for case in result.cases)
    word, style = _VERDICTS[result.status]
    return Text.assemble(
        (f"{len(result.cases)} cases, {steps} steps: ", "bold"),
        (word, style),
        f"; {result.changed} steps differ in {changed} cases, {result.faults} faults."
        f" {requests} requests, {result.seconds:.1f} s, results {result.results}.",
    )


_VERDICTS = {0: ("the same", "bold green"), 1: ("changed", "bold red"), 2: ("faults", "bold magenta")}
