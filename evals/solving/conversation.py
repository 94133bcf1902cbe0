"""The turns of one case, one after the other: what the model asks of its client is answered as the case says."""

from typing import Any

from openai import APIStatusError

from evals.recording.chain import recordings_of
from evals.solving.given import Given, with_parts
from evals.solving.question import Answered, Questions
from evals.solving.replies import Replies
from evals.solving.shelf import gone
from evals.suite.schema import Case, Turn
from evals.transcript import Made, Transcript

Json = dict[str, Any]

#: How often a model may ask for its client's tools within a turn.
_STEPS = 50


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
        #: Where each turn has come to.
        self._stood: list[tuple[str | None, list[Json]]] = []
        self._replies = Replies(case)

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
            self._stood.append((self._last, self._kept))

    async def close(self) -> None:
        """Leave no conversation on the server; responses stay, for who wants to look at them."""
        if self._conversation:
            await gone(self._questions.client, f"/conversations/{self._conversation}")

    async def tell(self, transcript: Transcript) -> None:
        """Add what is known behind the wire, if the server tells: path and state."""
        responses = [response for made in transcript.turns for response in made.responses]
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
        asked = with_parts(turn.input, parts)
        if self._case.state == "none":
            self._last, self._kept = None, []
        elif turn.after is not None:
            self._last, self._kept = self._stood[turn.after]
        for _ in range(_STEPS):
            made.input += asked
            answered = await self._questions.ask(self._body(turn, asked))
            _add(made, answered)
            if answered.response is None:
                return
            self._stands(asked, answered.response)
            asked = self._replies.to(answered.response.get("output") or [])
            if not asked:
                return

    def _body(self, turn: Turn, asked: list[Json]) -> Json:
        body: Json = {"model": self._model, **self._case.request, **turn.request}
        if tools := self._given.with_tools(body.get("tools") or []):
            body["tools"] = tools
        if self._conversation:
            body["conversation"] = self._conversation
        elif body.get("store") is False:
            asked = [*self._kept, *asked]
        elif self._last:
            body["previous_response_id"] = self._last
        return {**body, "input": asked}

    def _stands(self, asked: list[Json], response: Json) -> None:
        if response.get("status") in ("completed", "incomplete"):
            self._last = response["id"]
            self._kept = [*self._kept, *asked, *(response.get("output") or ())]

    async def _replayed(self, recording: Json) -> Made:
        made = Made()
        replay = {"recording": recording, "results": self._case.results}
        body: Json = {"model": self._model, **self._case.request, "replay": replay}
        _add(made, await self._questions.ask(body))
        return made


def _add(made: Made, answered: Answered) -> None:
    made.seconds += answered.seconds
    made.events += answered.events
    made.misnumbered += answered.misnumbered
    made.error = answered.error
    if made.first_text_s is None:
        made.first_text_s = answered.first_text_s
    if answered.response is not None:
        made.responses.append(answered.response)
