"""The turns of one case, one after the other: what the model asks of its client is answered as the case says."""

import json
from collections import Counter
from typing import Any

from openai import APIStatusError

from evals.recording.chain import recordings_of
from evals.solving.given import Given
from evals.solving.question import Answered, Questions
from evals.suite.schema import Case, Turn
from evals.transcript import Made, Transcript, Usage

Json = dict[str, Any]

#: How often a model may ask for its client's tools within a turn.
_STEPS = 50
#: An answer for all arguments that have none of their own.
_ANY = "*"
#: Item types of calls the client answers → of what answers them, and the field of what they were called with.
_CALLS = {
    "function_call": ("function_call_output", "arguments"),
    "custom_tool_call": ("custom_tool_call_output", "input"),
}


class Conversation:
    """One attempt at a case."""

    def __init__(self, questions: Questions, case: Case, model: str, given: Given) -> None:
        self._questions = questions
        self._case = case
        self._model = model
        self._given = given
        #: Where the next turn goes on from: a response, a conversation, or items the client keeps itself.
        self._last: str | None = None
        self._conversation: str | None = None
        self._kept: list[Json] = []
        self._called = Counter[str]()

    async def hold(self, transcript: Transcript) -> None:
        """Raises what `Questions.ask` does."""
        if self._case.recording is not None:
            transcript.turns += [await self._replayed(one) for one in recordings_of(self._case.recording)]
            return
        if self._case.state == "conversation":
            self._conversation = (await self._questions.client.conversations.create()).id
        for index, turn in enumerate(self._case.turns):
            made = Made()
            transcript.turns.append(made)
            await self._turn(turn, made, self._given.parts if index == 0 else [])

    async def close(self) -> None:
        """Leave no conversation on the server; responses stay, for who wants to look at them."""
        if self._conversation:
            await self._questions.client.conversations.delete(self._conversation)

    async def tell(self, transcript: Transcript) -> None:
        """Add what is known behind the wire: tokens, and if the server tells of it path and state."""
        responses = [response for made in transcript.turns for response in made.responses]
        transcript.usage = _sum([response.get("usage") or {} for response in responses])
        if not self._given.wants_recording:
            return
        recorded = [one for one in [await self._recording(response["id"]) for response in responses] if one]
        if recorded:
            transcript.path = [step["node"] for one in recorded for step in one["steps"]]
            transcript.repairs = sum(one["repairs"] for one in recorded)
            transcript.state = recorded[-1]

    async def _recording(self, id: str) -> Json | None:
        try:
            return await self._questions.client.get(f"/responses/{id}/recording", cast_to=object)  # type: ignore[return-value]
        except APIStatusError:
            return None  # it was not stored, or the server tells nobody

    # ------------------------------------------------------------ one turn

    async def _turn(self, turn: Turn, made: Made, parts: list[Json]) -> None:
        asked = _items(turn.input, parts)
        for _ in range(_STEPS):
            made.input += asked
            answered = await self._questions.ask(self._body(turn, asked))
            _add(made, answered)
            if answered.response is None:
                return
            self._stands(turn, asked, answered.response)
            asked = self._answers(answered.response.get("output") or [])
            if not asked:
                return

    def _body(self, turn: Turn, asked: list[Json]) -> Json:
        body: Json = {"model": self._model, **self._case.request, **turn.request}
        if tools := self._given.with_files([*(body.get("tools") or ()), *self._given.tools]):
            body["tools"] = tools
        if self._conversation:
            body["conversation"] = self._conversation
        elif body.get("store") is False:
            asked = [*self._kept, *asked]
        elif self._last and self._case.state == "previous_response_id":
            body.setdefault("previous_response_id", self._last)
        return {**body, "input": asked}

    def _stands(self, turn: Turn, asked: list[Json], response: Json) -> None:
        if response.get("status") in ("completed", "incomplete"):
            self._last = response["id"]
            self._kept += [*asked, *(response.get("output") or ())]
        if self._case.state == "none":
            self._kept = []

    async def _replayed(self, recording: Json) -> Made:
        made = Made()
        replay = {"recording": recording, "results": self._case.results}
        body: Json = {"model": self._model, **self._case.request, "replay": replay}
        _add(made, await self._questions.ask(body))
        return made

    # ------------------------------------------------------------ what the model asks of its client

    def _answers(self, output: list[Json]) -> list[Json]:
        """Empty where nothing is asked, or something is left to nobody."""
        said: list[Json] = []
        for item in output:
            kind = item.get("type", "")
            if kind in _CALLS:
                answer = self._answer(item["name"], item[_CALLS[kind][1]])
                if answer is None:
                    return []
                said.append({"type": _CALLS[kind][0], "call_id": item["call_id"], "output": answer})
            elif kind == "mcp_approval_request":
                decided = self._decision(item["name"])
                if decided == "leave":
                    return []
                approve = {"approval_request_id": item["id"], "approve": decided == "approve"}
                said.append({"type": "mcp_approval_response", **approve})
        return said

    def _answer(self, name: str, arguments: str) -> str | None:
        answer = self._case.answers.get(name)
        self._called[name] += 1
        if isinstance(answer, list):
            return answer[min(self._called[name], len(answer)) - 1] if answer else None
        if isinstance(answer, dict):
            fitting = (said for asked, said in answer.items() if _same(asked, arguments))
            return next(fitting, answer.get(_ANY))
        return answer

    def _decision(self, name: str) -> str:
        said = self._case.approvals
        return said if isinstance(said, str) else said.get(name, "leave")


def _items(given: str | list[Json], parts: list[Json]) -> list[Json]:
    """Input items, with the files of the case in the first user message."""
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else [*given]
    if not parts:
        return items
    for at, item in enumerate(items):
        if item.get("role") == "user":
            said = item["content"]
            before = [{"type": "input_text", "text": said}] if isinstance(said, str) else said
            items[at] = {**item, "content": [*parts, *before]}
            return items
    return [{"role": "user", "content": parts}, *items]


def _add(made: Made, answered: Answered) -> None:
    made.seconds += answered.seconds
    made.events += answered.events
    made.misnumbered += answered.misnumbered
    made.error = answered.error
    if made.first_text_s is None:
        made.first_text_s = answered.first_text_s
    if answered.response is not None:
        made.responses.append(answered.response)


def _same(asked: str, arguments: str) -> bool:
    try:
        return json.loads(asked) == json.loads(arguments or "{}")
    except ValueError:
        return asked == arguments


def _sum(usages: list[Json]) -> Usage:
    total = Usage()
    for usage in usages:
        total.input += usage.get("input_tokens") or 0
        total.output += usage.get("output_tokens") or 0
        total.cached += (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
        total.reasoning += (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    return total
