"""A suite as a task of inspect_ai, which schedules its cases and writes the logs that `inspect view` opens.

Its solver asks one case once by our own target, because its own calls of models keep no conversation on a server. Its
scorer shows the grades that were given.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from inspect_ai import Epochs, Task, eval_async
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall
from inspect_ai.util import display_type

from evals.graders.looking import ASKED
from evals.results import Attempt
from evals.suite.schema import Case, Suite
from evals.transcript import Made

Json = dict[str, Any]
#: Case and epoch → what came of it: asked now, or known from before.
Make = Callable[[str, int], Awaitable[Attempt]]

_GRADED = "attempt"
_SHOWN_CHARS = 20_000
#: Cases in hand for each that is asked: while some are graded and logged, others are asked.
_IN_HAND = 2


async def inspected(suite: Suite, make: Make, logs: Path) -> list[EvalLog]:
    """Every case as often as it is to be asked. What `make` raises ends the run."""
    display_type()  # settles what is shown: else it shows a lot to who does not use its command
    return await eval_async(
        list(_tasks(suite, make)),
        model=None,
        log_dir=str(logs),
        max_samples=suite.concurrency * _IN_HAND,
        max_tasks=1,
        fail_on_error=True,
        log_realtime=False,
        score_display=False,
        acp_server=False,
        ctl_server=False,
    )


def _tasks(suite: Suite, make: Make) -> Iterator[Task]:
    """One for all cases that are asked equally often."""

    def often(case: Case) -> int:
        return case.epochs or suite.epochs

    for count, cases in groupby(sorted(suite.cases, key=often), often):
        yield Task(
            dataset=[_sample(case) for case in cases],
            solver=asked(make),
            scorer=graded(),
            epochs=Epochs(count, "mean"),
            name=suite.name,
            metadata={"description": suite.description},
        )


def _sample(case: Case) -> Sample:
    first = case.turns[0].input if case.turns else case.input or "A recorded run."
    said = first if isinstance(first, str) else "\n".join(_texts(first))
    return Sample(id=case.id, input=said, target=case.expect or "", metadata={"tags": case.tags, **case.item})


@solver(name="asked")
def asked(make: Make) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        attempt = await make(str(state.sample_id), state.epoch)
        state.metadata[_GRADED] = attempt.model_dump(mode="json", exclude={"transcript"})
        if attempt.transcript:
            state.messages = [message for made in attempt.transcript.turns for message in _messages(made)]
            state.output = ModelOutput.from_content(str(state.model), attempt.transcript.text)
        return state

    return solve


@scorer(metrics=[mean(), stderr()], name="graded")
def graded() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        attempt = Attempt.model_validate(state.metadata[_GRADED])
        lines = [f"{'✓' if grade.passed else '✗'} {grade.grader}: {grade.why}" for grade in attempt.grades]
        return Score(
            value=float(attempt.passed),
            answer=state.output.completion,
            explanation=attempt.fault or "\n".join(lines),
            metadata={"score": attempt.score, "grades": [grade.model_dump() for grade in attempt.grades]},
        )

    return score


# ---------------------------------------------------------------- transcripts as inspect shows them


def _messages(made: Made) -> Iterator[ChatMessage]:
    given = "\n".join(_texts(made.input))
    if given:
        yield ChatMessageUser(content=given)
    for item in made.items:
        yield from _shown(item)
    if made.error:
        yield ChatMessageAssistant(content=f"HTTP {made.error['status']}: {made.error['message']}")


def _texts(items: Sequence[Json]) -> Iterator[str]:
    for item in items:
        said = item.get("content") if "content" in item else item.get("output")
        if isinstance(said, str):
            yield said
        elif isinstance(said, list):
            yield from (part["text"] for part in said if isinstance(part, dict) and part.get("text"))


def _shown(item: Json) -> Iterator[ChatMessage]:
    kind: str = item.get("type", "")
    if kind == "message":
        yield ChatMessageAssistant(content="\n".join(_texts([item])))
    elif kind.endswith("_call"):
        name, id = item.get("name") or kind.removesuffix("_call"), item.get("call_id") or item.get("id") or ""
        arguments = {"arguments": item.get(ASKED.get(kind, ""))}
        yield ChatMessageAssistant(content="", tool_calls=[ToolCall(id=id, function=name, arguments=arguments)])
        if kind not in ("function_call", "custom_tool_call"):
            said = item.get("output") or item.get("outputs") or item.get("results") or item.get("status")
            yield ChatMessageTool(content=str(said)[:_SHOWN_CHARS], tool_call_id=id, function=name)
