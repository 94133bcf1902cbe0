"""One attempt at a case with a graph: its turns on a thread that is forgotten with the attempt."""

import json
import time
import uuid
from typing import Any

from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Interrupt, StreamMode
from pydantic_core import to_jsonable_python

from evals.solving.given import with_parts
from evals.solving.messages import Output, messages_of
from evals.solving.replies import Replies
from evals.suite.schema import Case, Turn
from evals.transcript import Made, Transcript, used

Json = dict[str, Any]

#: How often a graph may ask within a turn.
_STEPS = 50
#: The name under which a graph asks for what `answers` says, by `interrupt(…)`.
_INTERRUPT = "interrupt"


class Thread:
    def __init__(self, graph: Pregel[Any, Any, Any, Any], case: Case, model: str | None) -> None:
        # Its own checkpointer stays as it is: an attempt leaves nothing behind, and finds nothing.
        self._graph = graph.copy({"checkpointer": InMemorySaver(), "store": graph.store or InMemoryStore()})
        self._case = case
        self._model = model
        self._id = uuid.uuid4().hex
        self._known = set[str]()
        self._replies = Replies(case)
        self._path: list[str] = []
        #: What the graph waits for, and calls that wait with it.
        self._waiting: list[Interrupt] = []
        self._held: list[Json] = []

    async def hold(self, transcript: Transcript, parts: list[Json]) -> None:
        """`parts` go into the first message. Raises `Unfit`."""
        transcript.path = self._path
        for index, turn in enumerate(self._case.turns):
            if self._case.state == "none":
                self._id = uuid.uuid4().hex
            made = Made()
            transcript.turns.append(made)
            try:
                await self._turn(turn, made, parts if index == 0 else [])
            finally:
                transcript.usage = used(transcript.turns)
        state = await self._graph.aget_state({"configurable": {"thread_id": self._id}})
        transcript.state = to_jsonable_python(state.values, serialize_unknown=True)

    async def _turn(self, turn: Turn, made: Made, parts: list[Json]) -> None:
        said = with_parts(turn.input, parts)
        given: Any = {"messages": self._messages(said)}
        self._held, self._waiting = [], []
        since = time.perf_counter()
        for _ in range(_STEPS):
            made.input += said
            if not await self._ran(given, turn, made, since):
                break
            asked = made.responses[-1]["output"]
            waiting = {one.id for one in self._waiting}
            said = self._replies.to([one for one in asked if not waiting or one.get("interrupt_id") in waiting])
            if not said:
                break
            given = self._resumed(said, asked) if waiting else {"messages": self._messages(said)}
        made.seconds = time.perf_counter() - since

    def _messages(self, said: list[Json]) -> list[Any]:
        messages = messages_of(said)
        self._known |= {message.id for message in messages if message.id}
        return messages

    # ------------------------------------------------------------ one run of the graph

    async def _ran(self, given: Any, turn: Turn, made: Made, since: float) -> bool:
        """Whether it came to its end: what a graph raises is its answer."""
        try:
            made.responses.append(await self._response(given, turn, made, since))
        except Exception as error:  # whatever nodes raise
            what = f"{type(error).__name__}: {error}"
            made.error = {"status": 500, "message": what, "type": "graph_error", "param": None, "code": None}
        return made.error is None

    async def _response(self, given: Any, turn: Turn, made: Made, since: float) -> Json:
        request = {**self._case.request, **turn.request}
        output, self._waiting = Output(self._known, self._held), []
        modes: list[StreamMode] = ["updates", "messages"] if request.get("stream") else ["updates"]
        config = self._config(request)
        async for mode, told in self._graph.astream(given, config, context=self._context(request), stream_mode=modes):
            if mode == "updates":
                self._note(told, output)
            elif made.first_text_s is None and isinstance(told[0], AIMessageChunk) and told[0].text:
                made.first_text_s = time.perf_counter() - since
        self._held = output.hold_back() if self._waiting else []
        shown = [*output.items, *(item for one in self._waiting for item in _asked(one))]
        about = {"id": f"resp_{uuid.uuid4().hex}", "object": "response", "status": "completed", "model": self._model}
        return {**about, "error": None, "output": shown, "usage": output.usage}

    def _note(self, told: Json, output: Output) -> None:
        for node, wrote in told.items():
            if node == "__interrupt__":
                self._waiting += wrote
            elif not node.startswith("__"):
                self._path.append(node)
                output.add(wrote)

    def _config(self, request: Json) -> Any:
        """Fields of requests are `configurable`, but those that LangGraph has a place for."""
        named = {"model": self._model} if self._model else {}
        places = {name: request[name] for name in ("recursion_limit", "tags", "metadata") if name in request}
        return {**places, "configurable": {**named, **request, "thread_id": self._id}}

    def _context(self, request: Json) -> Json | None:
        """The fields a graph's context has, of those the request has."""
        fields = (self._graph.get_context_jsonschema() or {}).get("properties")
        if fields is None:
            return None
        named = {"model": self._model} if self._model else {}
        return {name: value for name, value in {**named, **request}.items() if name in fields}

    # ------------------------------------------------------------ what a graph waits for

    def _resumed(self, said: list[Json], asked: list[Json]) -> Command[Any]:
        """Go on with what was said to each interrupt; denied calls are not shown as made."""
        by_id = {item.get("approval_request_id") or item["call_id"]: item for item in said}
        values: Json = {}
        for one in self._waiting:
            replies = [by_id[item["id"]] for item in asked if item.get("interrupt_id") == one.id]
            values[one.id] = _value(replies)
        for item in asked:
            reply = by_id.get(item["id"], {})
            if reply.get("approve") is False:
                self._held = [call for call in self._held if not _same(call, item)]
        return Command(resume=values)


def _asked(interrupt: Interrupt) -> list[Json]:
    """Calls that LangChain's middleware wants approved, by the protocol's name for it; else a call of `interrupt`."""
    value = interrupt.value
    if isinstance(value, dict) and isinstance(value.get("action_requests"), list):
        return [
            {
                "type": "mcp_approval_request",
                "id": f"{interrupt.id}-{index}",
                "name": action["name"],
                "arguments": json.dumps(action.get("args") or {}, ensure_ascii=False),
                "interrupt_id": interrupt.id,
            }
            for index, action in enumerate(value["action_requests"])
        ]
    arguments = json.dumps(to_jsonable_python(value, serialize_unknown=True), ensure_ascii=False)
    named = {"name": _INTERRUPT, "arguments": arguments, "interrupt_id": interrupt.id}
    return [{"type": "function_call", "id": interrupt.id, "call_id": interrupt.id, "status": "completed", **named}]


def _value(replies: list[Json]) -> Any:
    """What `interrupt(…)` returns: decisions about calls, or an answer, as JSON where it is."""
    if "approve" in replies[0]:
        return {"decisions": [{"type": "approve" if one["approve"] else "reject"} for one in replies]}
    try:
        return json.loads(replies[0]["output"])
    except ValueError:
        return replies[0]["output"]


def _same(call: Json, asked: Json) -> bool:
    return (call["name"], json.loads(call["arguments"])) == (asked["name"], json.loads(asked["arguments"]))
