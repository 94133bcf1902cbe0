"""Makes recorded responses again, asking no more often than there are changes to find.

One request makes all turns again as long as they are what was recorded: each is asked what the recorded one was
asked. Behind the first turn that differs this holds no longer; the next request goes on from the turn behind it,
with the recorded ones before. So every change is found, and none because of another.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from evals.graders.grading import CannotGrade
from evals.recording.acts import Act, ModelTurn, made_turns, recorded_turns
from evals.recording.cases import Recorded
from evals.recording.differing import SameText, differences, normal, of_results
from evals.recording.replayed import CaseReplay, Did, RunReplay, Step
from evals.recording.server import said
from evals.transcript import Usage

Json = dict[str, Any]

#: Results of calls that are shown to who asks for them.
_SHOWN = ["code_interpreter_call.outputs", "file_search_call.results", "web_search_call.results"]


class CannotReplay(Exception):
    """The message says why, and is fit for a report."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How recordings are made again."""

    #: None: the model a response was recorded with.
    model: str | None = None
    #: Fields of the request that are others now: instructions, tools, temperature, …
    changes: Json = field(default_factory=dict[str, Any])
    results: Literal["recorded", "live"] = "recorded"
    unrecorded: Literal["stop", "tell"] = "stop"
    #: The first turn to be made again, or each by itself.
    begin: int | Literal["each"] = 0
    same: SameText = normal


class Replayer:
    def __init__(self, client: AsyncOpenAI, asked: Asked, at_once: int = 4) -> None:
        self._client = client
        self._asked = asked
        self._turns = asyncio.Semaphore(at_once)

    async def replay(self, case: Recorded) -> CaseReplay:
        runs = [await self._run(recording, case.request) for recording in case.recordings]
        return CaseReplay(id=case.id, tags=case.tags, runs=runs)

    async def _run(self, recording: Json, request: Json) -> RunReplay:
        run = RunReplay(response=str(recording["response"].get("id")))
        async with self._turns:
            since = time.perf_counter()
            try:
                await self._walk(recording, request, run)
            except (CannotReplay, CannotGrade) as problem:
                run.fault = str(problem)
            run.seconds = time.perf_counter() - since
        return run

    async def _walk(self, recording: Json, request: Json, run: RunReplay) -> None:
        each = self._asked.begin == "each"
        left = [turn for turn in recorded_turns(recording) if each or turn.number >= cast(int, self._asked.begin)]
        while left:
            made = made_turns(await self._ask(recording, request, left[0].number, run))
            steps = await self._steps(left[:1] if each else left, made[:1] if each else made)
            run.steps += steps
            left = left[len(steps) :]

    async def _steps(self, recorded: Sequence[ModelTurn], made: Sequence[tuple[Act, ...]]) -> list[Step]:
        """Up to the first whose turn is another: what comes behind it was asked something else."""
        steps = list[Step]()
        for at, turn in enumerate(recorded):
            acts = made[at] if at < len(made) else ()
            found = await differences(turn.acts, acts, self._asked.same)
            results = of_results(turn.acts, acts) if self._asked.results == "live" else []
            steps.append(_step(turn, acts, [*found, *results]))
            if found:
                return steps
        for at, acts in enumerate(made[len(recorded) :]):
            beyond = ModelTurn(recorded[-1].number + 1 + at, ())
            steps.append(_step(beyond, acts, await differences((), acts, self._asked.same)))
        return steps

    # ------------------------------------------------------------ asking

    async def _ask(self, recording: Json, request: Json, step: int, run: RunReplay) -> Json:
        asked = self._asked
        replay = {"recording": recording, "step": step, "results": asked.results, "unrecorded": asked.unrecorded}
        body = {
            "model": asked.model or recording["response"]["model"],
            "include": _SHOWN,
            **request,
            **asked.changes,
            "replay": replay,
        }
        run.requests += 1
        response = await self._answer(body)
        run.answers.append(response)
        run.usage = Usage.sum([run.usage, Usage.told(response.get("usage"))])
        if response.get("status") == "failed":
            raise CannotReplay(f"step {step}: {(response.get('error') or {}).get('message')}")
        if "turns" not in (response.get("replay") or {}):
            raise CannotReplay("The server knows nothing of replays: name one of GraphNexus with --url.")
        return response

    async def _answer(self, body: Json) -> Json:
        try:
            return cast(Json, await self._client.post("/responses", cast_to=object, body=body))
        except APIStatusError as error:
            raise CannotReplay(f"The server answers {error.status_code}: {said(error)}") from error
        except APIConnectionError as error:
            raise CannotReplay(f"The server cannot be reached: {error.__cause__ or error}.") from error


def _step(turn: ModelTurn, acts: Sequence[Act], differences: list[Any]) -> Step:
    return Step(turn=turn.number, recorded=_told(turn.acts), made=_told(acts), differences=differences)


def _told(acts: Sequence[Act]) -> list[Did]:
    return [Did(name=act.name, asked=act.asked) for act in acts]
