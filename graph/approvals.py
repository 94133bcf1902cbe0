"""Calls that wait for a yes: asked for by an item, answered by an item, made by the response that brings the answer.

Not LangGraph's interrupts: an answer may come days later, on another machine, or from a client that keeps its own
history. Source: CONTRACT of the Responses API, "mcp".
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from graph.errors import Json, RequestError
from graph.state import Call, Entry, Item

REQUEST, RESPONSE = "mcp_approval_request", "mcp_approval_response"
#: One line for each decision, and for each call that was made on one; written at every log level.
audit = logging.getLogger("graph.audit")
#: Where an answer came from: the input of a response, or `/v1/approvals`.
Door = Literal["request", "endpoint"]


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer to one request."""

    approve: bool
    reason: str | None = None
    #: What the server may be told should it ask for values while the call runs.
    values: Json | None = field(default=None, repr=False)
    door: Door = "request"


class Answer(NamedTuple):
    """A decision, with the request as the caller's history has it."""

    request: Item
    decision: Decision


class Due(NamedTuple):
    """A background response whose requests are all decided, to be followed by another."""

    owner: str
    response_id: str
    next_response_id: str
    #: The tool declarations of both.
    sealed: str


class Approvals(Protocol):
    """What is kept of requests and decisions, for each owner."""

    async def ask(self, owner: str, response_id: str, requests: Sequence[Item], *, alone: bool) -> None:
        """List requests as pending; a second time does nothing. `alone`: nothing else is asked of the client, so that
        a background response can go on by itself once they are decided.
        """
        ...

    async def decided(self, owner: str, request_ids: Sequence[str]) -> Mapping[str, Decision]:
        """Those of the requests that are decided."""
        ...

    async def decide(self, owner: str, answers: Sequence[Answer]) -> Sequence[Answer]:
        """Keep decisions; gives those that are new.

        Raises `RequestError` when one was decided otherwise before, or asked for something else.
        """
        ...

    async def use(self, owner: str, request_id: str, item_id: str) -> str:
        """Make the one call that was approved: the item that makes it, `item_id` unless another came first."""
        ...

    async def give_up(self, next_response_id: str) -> bool:
        """A response does not go on by itself after all; False when it has."""
        ...


class Waiting(NamedTuple):
    """Requests of a conversation's end, their answers, and which of them have been acted upon."""

    requests: dict[str, Entry]
    answers: dict[str, Item]
    made: set[str]

    @property
    def unanswered(self) -> list[str]:
        return [id for id in self.requests if id not in self.answers and id not in self.made]

    @property
    def due(self) -> list[str]:
        """Requests whose calls are to be made now."""
        return [id for id in self.requests if id not in self.made and self.answers.get(id, {}).get("approve")]


def waiting(history: Sequence[Entry], added: Sequence[Entry]) -> Waiting:
    """What waits at the end of a conversation. Raises `RequestError` for an answer that cannot be one.

    A model is asked only when nothing is unanswered, so that nothing waits before the last message it was asked with.
    """
    found = Waiting({}, {}, set())
    for entry in history[_last_asked(history) :]:
        _take(found, entry, known=True)
    for entry in added:
        _take(found, entry)
    return found


def _take(found: Waiting, entry: Entry, known: bool = False) -> None:
    """`known`: it was taken before, with a request that may be further back."""
    item = entry["item"]
    if entry.get("cut"):
        return
    if item["type"] == REQUEST:
        found.requests[item["id"]] = entry
    elif item["type"] == RESPONSE:
        if not known or item["approval_request_id"] in found.requests:
            _answer(found, item)
    elif id := item.get("approval_request_id"):
        found.made.add(id)


def _answer(found: Waiting, item: Item) -> None:
    id: str = item["approval_request_id"]
    if id not in found.requests:
        message = f"No approval request found for approval response with approval_request_id {id}."
        raise RequestError(message, param="input")
    if found.answers.setdefault(id, item)["approve"] != item["approve"]:
        raise RequestError(f"The approval request {id} is answered twice, and differently.", param="input")


def _last_asked(entries: Sequence[Entry]) -> int:
    """Where the last user message stands that a response has seen: what comes behind may have been added to a
    conversation while it waits.
    """
    answered = False
    for index in range(len(entries) - 1, -1, -1):
        item = entries[index]["item"]
        answered = answered or "at" in entries[index]
        if answered and item["type"] == "message" and item["role"] == "user":
            return index
    return 0


def requests_in(entries: Sequence[Entry]) -> list[Item]:
    return [entry["item"] for entry in entries if entry["item"]["type"] == REQUEST and not entry.get("cut")]


def answer_item(id: str, request_id: str, decision: Decision) -> Item:
    return {
        "id": id,
        "type": RESPONSE,
        "approval_request_id": request_id,
        "approve": decision.approve,
        "reason": decision.reason,
        **({} if decision.values is None else {"values": decision.values}),
    }


def decision_of(item: Item) -> Decision:
    return Decision(item["approve"], item.get("reason"), item.get("values"))


def denial(item: Item) -> str:
    """What the model hears of a call that was not approved."""
    reason = item.get("reason")
    return f"The user did not approve this call. Reason: {reason}" if reason else "The user did not approve this call."


def told(owner: str, request: Item, decision: Decision, response_id: str) -> None:
    """The audit line of a decision; arguments and reasons may hold secrets and are left out."""
    said = "Call approved" if decision.approve else "Call denied"
    _audit(said, owner, request["id"], (request["server_label"], request["name"]), decision.door, response_id)


def told_made(owner: str, call: Call, origin: tuple[str, str], decision: Decision, response_id: str) -> None:
    """The audit line of a call that begins because it was approved."""
    _audit("Approved call made", owner, call.get("approval", ""), origin, decision.door, response_id)


def _audit(what: str, owner: str, request_id: str, origin: tuple[str, str], door: Door, response_id: str) -> None:
    named = {"approval_request_id": request_id, "server_label": origin[0], "tool": origin[1]}
    audit.info(what, extra={"owner": owner, **named, "door": door, "response_id": response_id})
