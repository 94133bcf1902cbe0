"""Calls that wait for a yes: asked for by an item, answered by an item, made by the response that brings the answer.

Not LangGraph's interrupts: an answer may come days later, on another machine, or from a client that keeps its own
history. Source: CONTRACT of the Responses API, "mcp".
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from graph.errors import Json, RequestError
from graph.state import Entry, Item

REQUEST, RESPONSE = "mcp_approval_request", "mcp_approval_response"
#: One line for each decision, and for each call that was made on one.
audit = logging.getLogger("graph.audit")


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer to one request."""

    approve: bool
    reason: str | None = None
    #: What the server may be told should it ask for values while the call runs.
    values: Json | None = field(default=None, repr=False)


class Answer(NamedTuple):
    """A decision, with the request as the caller's history has it."""

    request: Item
    decision: Decision


class Approvals(Protocol):
    """What is kept of requests and decisions, for each owner."""

    async def ask(self, owner: str, response_id: str, requests: Sequence[Item]) -> None:
        """List requests as pending; a second time does nothing."""
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

    A model is asked only when nothing is unanswered, so that nothing waits before the last user message of `history`.
    """
    found = Waiting({}, {}, set())
    for entry in [*history[_last_user(history) :], *added]:
        item = entry["item"]
        if entry.get("cut"):
            continue
        if item["type"] == REQUEST:
            found.requests[item["id"]] = entry
        elif item["type"] == RESPONSE:
            _answer(found, item)
        elif id := item.get("approval_request_id"):
            found.made.add(id)
    return found


def _answer(found: Waiting, item: Item) -> None:
    id: str = item["approval_request_id"]
    if id not in found.requests:
        message = f"No approval request found for approval response with approval_request_id {id}."
        raise RequestError(message, param="input")
    if found.answers.setdefault(id, item)["approve"] != item["approve"]:
        raise RequestError(f"The approval request {id} is answered twice, and differently.", param="input")


def _last_user(entries: Sequence[Entry]) -> int:
    for index in range(len(entries) - 1, -1, -1):
        item = entries[index]["item"]
        if item["type"] == "message" and item["role"] == "user":
            return index
    return 0


def answers_in(entries: Sequence[Entry]) -> bool:
    return any(entry["item"]["type"] == RESPONSE for entry in entries)


def requests_in(entries: Sequence[Entry]) -> list[Item]:
    return [entry["item"] for entry in entries if entry["item"]["type"] == REQUEST and not entry.get("cut")]


def answer_item(id: str, request_id: str, decision: Decision) -> Item:
    return {
        "id": id,
        "type": RESPONSE,
        "approval_request_id": request_id,
        "approve": decision.approve,
        "reason": decision.reason,
    }


def decision_of(item: Item) -> Decision:
    return Decision(item["approve"], item.get("reason"))


def denial(item: Item) -> str:
    """What the model hears of a call that was not approved."""
    reason = item.get("reason")
    return f"The user did not approve this call. Reason: {reason}" if reason else "The user did not approve this call."


def told(owner: str, request: Item, decision: Decision, **where: str) -> None:
    """The audit line of a decision; arguments and reasons may hold secrets and are left out."""
    said = "approved" if decision.approve else "denied"
    named = {"approval_request_id": request["id"], "server_label": request["server_label"], "tool": request["name"]}
    audit.info("Call %s", said, extra={"owner": owner, **named, **where})
