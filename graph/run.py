"""What a response needs while it is made and what cannot be stored: emitter, model, open tools, secrets."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, TypedDict

from graph.approvals import Approvals
from graph.attachments import Attachments
from graph.chat import Style
from graph.citing import citations
from graph.client_tools import offers_of
from graph.consulting import Said, Text
from graph.errors import Json, RequestError
from graph.events import Emitter, OpenItem
from graph.ids import now
from graph.marks import Marks, next_mark, sources_of
from graph.offers import Offer
from graph.opening import Toolbox, brought, hidden, joined, refuse_twin, serves
from graph.policy import Guard
from graph.ports import Function, HostedTool, Model, Profile, Prompt
from graph.prompt import Toolset, callable_now, options_of
from graph.recording import Replay
from graph.seal import Seal
from graph.shape import Shape
from graph.snapshot import add_usage, usage_of
from graph.state import Change, Entry, Outlook, Record, State
from graph.transcript import check, messages_of, without_oldest
from graph.turn import Answer, Turn
from graph.untrusted import wary

FindItem = Callable[[str], Awaitable[Entry | None]]


class Beginning(TypedDict):
    """What `load` makes of a request."""

    items: list[Entry]
    request: Json
    response: Record


@dataclass(slots=True)
class Legacy:
    """What is known of steps that were made, or begun, before the process that made them died."""

    #: What a turn of the model came to, whose checkpoint was not written.
    turn: Change | None = None
    #: Hosted calls that came to an end, by item id.
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    #: Hosted calls that were begun and are not safe to repeat, by item id.
    started: Collection[str] = ()


@dataclass(slots=True)
class Run:
    """One response being made. Lives as long as its task and is never checkpointed."""

    response_id: str
    owner: str
    emitter: Emitter
    model: Model
    #: The model's name as the caller gave it.
    model_name: str
    seal: Seal
    profile: Profile
    find_item: FindItem
    attachments: Attachments
    approvals: Approvals
    #: Which calls wait for an approval.
    guard: Guard
    hosted: Sequence[HostedTool] = ()
    #: `tools` as the caller sent them, secrets included.
    declared: Sequence[Json] = ()
    #: Fields of hosted calls the caller asks to be shown.
    include: Collection[str] = ()
    previous_response_id: str | None = None
    conversation: str | None = None
    #: Items the conversation must have when it is read; None where that is not known.
    expected_items: int | None = None
    max_turns: int = 50
    created_at: int = field(default_factory=now)
    #: What `load` has made of the request, for a failure before its step is stored.
    begun: Beginning | None = None
    offers: dict[str, Offer] = field(default_factory=dict[str, Offer])
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    #: Items of hosted calls that are not done yet, by item id.
    shown: dict[str, OpenItem] = field(default_factory=dict[str, OpenItem])
    #: Entries that were shown and that no step has given to the state yet.
    pending: list[Entry] = field(default_factory=list[Entry])
    #: Notes a call that is not safe to repeat before it begins; None where no other process will go on.
    note_call: Callable[[str, str], Awaitable[None]] | None = None
    #: Usage of questions on the side that is not counted yet.
    spent: Json | None = None
    #: Whether a user has steered: nothing more is asked, and another response goes on from this one.
    steered: bool = False
    #: The answer being read, to stop it by.
    answering: asyncio.Timeout | None = None
    #: The recorded run that is made again.
    replay: Replay | None = None
    #: What a process that died has left.
    legacy: "Legacy" = field(default_factory=lambda: Legacy())

    # ------------------------------------------------------------ load

    def check(self, conversation: Sequence[Entry]) -> None:
        """Raises `RequestError` when the conversation cannot be put to a model."""
        check(conversation, self._style({}), self.seal.open)

    def begin(self, request: Json, history: int, added: Sequence[Entry]) -> Record:
        """The record of a response whose input has been taken; `history` entries came before it."""
        self.begun = self._beginning(request, history, added)
        return self.begun["response"]

    @property
    def request(self) -> Json:
        """Empty in a process that goes on after the one that took it has died."""
        return self.begun["request"] if self.begun else {}

    def started(self, request: Json) -> Beginning:
        """What `load` has made of the request, or would have if it had come so far."""
        return self.begun or self._beginning(request, 0, [])

    def _beginning(self, request: Json, history: int, added: Sequence[Entry]) -> Beginning:
        return {"items": list(added), "request": request, "response": self._record(request, history, len(added))}

    def _record(self, request: Json, history: int, added: int) -> Record:
        return {
            "id": self.response_id,
            "owner": self.owner,
            "status": "in_progress",
            "model": self.model_name,
            "created_at": self.created_at,
            "completed_at": None,
            "previous_response_id": self.previous_response_id,
            "conversation": self.conversation,
            "background": bool(request.get("background")),
            "error": None,
            "incomplete_details": None,
            "usage": None,
            "input_at": history,
            "output_at": history + added,
            "hosted_calls": 0,
            "turns": self.replay.begin if self.replay else 0,
        }

    async def open_tools(self, conversation: Sequence[Entry]) -> list[Entry]:
        """Ready everything the model may call; gives the items that were shown on the way."""
        self.offers = {offer.name: offer for offer in offers_of([*self.declared, *joined(conversation)])}
        box = self._toolbox(conversation)
        wanted = [*self.declared, *brought(conversation)]
        if self.replay and self.replay.results == "recorded":
            self.functions = self.replay.offered(wanted, self.hosted)
            return []
        for tool in self.hosted:
            if declared := [given for given in wanted if serves(tool, given)]:
                for function in await tool.open(declared, box):
                    refuse_twin(function, self.functions)
                    self.functions[function.name] = function
        return box.entries_shown()

    def _toolbox(self, conversation: Sequence[Entry]) -> Toolbox:
        return Toolbox(
            self.owner,
            conversation,
            self.emitter,
            self.declared,
            self.offers,
            self.functions,
            self.consult,
            count(next_mark(conversation)),
            stored=self.request.get("store") is not False,
        )

    # ------------------------------------------------------------ call model

    def turn(self, state: State) -> Turn:
        record, request = state["response"], state["request"]
        tools = self._tools(state)
        guard = wary(self.guard, state["items"], self.functions.values())
        turn = Turn(self.emitter, tools.offers, tools.functions, guard, record["turns"])
        turn.one_call = request.get("parallel_tool_calls") is False
        if request.get("max_tool_calls"):
            turn.hosted_left = max(0, request["max_tool_calls"] - record["hosted_calls"])
        include: Sequence[str] = request.get("include") or ()
        if request.get("store") is False or "reasoning.encrypted_content" in include:
            turn.saying.seal = self.seal.close
        turn.saying.cite = partial(citations, state["items"], record["output_at"])
        if sources := sources_of(state["items"]):
            turn.saying.marks = Marks(sources)
        return turn

    def tokens_left(self, record: Record, request: Json) -> int | None:
        """Output tokens the rest of the response may have; None is without limit."""
        limit = request.get("max_output_tokens")
        if limit is None:
            return None
        return max(0, limit - (record["usage"] or {}).get("output_tokens", 0))

    def ending(self, record: Record, request: Json) -> Outlook | None:
        """What is left to do if the model is not to be asked (again); None if it is."""
        if request.get("generate") is False:
            return {}
        if self.steered:
            return {"incomplete": "steered"}
        if self.replay and self.replay.missed:
            return {"incomplete": "unrecorded_call"}
        return {"incomplete": "max_output_tokens"} if self.tokens_left(record, request) == 0 else None

    def steer(self) -> None:
        """Let the response end: the model's answer between two chunks, tools that run when they are done."""
        if not self.steered and self.answering:
            self.answering.reschedule(asyncio.get_running_loop().time())
        self.steered = True

    async def ask(self, state: State, shape: Shape | None, turn: Turn) -> None:
        """Put the conversation to the model. With `truncation: auto` the oldest part gives way until it fits."""
        log: Sequence[Entry] = state["items"]
        if state["response"]["turns"] >= self.max_turns:
            raise RequestError(f"The response has reached the limit of {self.max_turns} model turns.")
        while True:
            try:
                return await self._answer(self.prompt(state, log, shape), turn)
            except RequestError as error:
                shorter = without_oldest(log)
                if (
                    error.code != "context_length_exceeded"
                    or state["request"].get("truncation") != "auto"
                    or not shorter
                ):
                    raise
                log = shorter

    async def _answer(self, prompt: Prompt, turn: Turn) -> None:
        try:
            async with asyncio.timeout(None) as self.answering:
                await self.model.answer(prompt, turn)
        except TimeoutError:
            if not self.steered:
                raise
            turn.stop()
        finally:
            self.answering = None

    def prompt(self, state: State, log: Sequence[Entry], shape: Shape | None) -> Prompt:
        record, request = state["response"], state["request"]
        tools = self._tools(state)
        options = options_of(request, tools, self.tokens_left(record, request))
        messages: list[Any] = []
        if instructions := request.get("instructions"):
            messages.append({"role": "system", "content": instructions})
        messages += messages_of(log, self._style(request), self.seal.open)
        messages += (state.get("outlook") or {}).get("repair") or []
        if shape and self.profile.json_schema:
            options["response_format"] = shape.response_format()
        elif shape:
            messages.insert(0, shape.instruction())
        return Prompt(self.model_name, messages, tools.definitions(), options)

    async def consult(self, messages: Sequence[Json], options: Json) -> Said:
        """Ask the model on the side; see `ports.Opening`."""
        heard = Text()
        try:
            await self.model.answer(Prompt(self.model_name, messages, options=options), heard)
        finally:
            self.spent = add_usage(self.spent, usage_of(heard.usage))
        return Said(heard.text, heard.finish, self.model_name)

    def with_spent(self, record: Record) -> Record:
        """The record with what was asked on the side since."""
        spent, self.spent = self.spent, None
        return {**record, "usage": add_usage(record["usage"], spent)} if spent else record

    def take_pending(self) -> list[Entry]:
        pending, self.pending = self.pending, []
        return pending

    def keep_open(self, answer: Answer) -> None:
        for item in answer.shown:
            self.shown[item.id] = item

    def _tools(self, state: State) -> Toolset:
        record = state["response"]
        forced_before = record["turns"] > 0 or record["hosted_calls"] > 0
        everything = Toolset(self.offers, self.functions, None)
        waiting = hidden(self.offers, self.functions, state["items"])
        return callable_now(state["request"].get("tool_choice"), everything, waiting, forced_before)

    def _style(self, request: Json) -> Style:
        reasoning: Json = request.get("reasoning") or {}
        thoughts = reasoning.get("context")
        return Style(self.profile.developer_role, "all_turns" if thoughts == "all_turns" else "current_turn")
