"""One request to approve a call, as a row: asked, decided once, acted upon once."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from checkpoints.database import Rows
from graph.approvals import Decision, Due
from graph.errors import RequestError
from graph.state import Item

Status = Literal["pending", "approved", "denied"]
COLUMNS = (
    "id, response_id, server_label, name, arguments, created_at, approve, reason, given, door, decided_at, item_id, "
    "next_response_id"
)
_ENDED = "status IN ('completed', 'incomplete')"
#: Requests of a response that has ended well and is still there, and decisions of which only the caller has more.
SHOWN = (
    "(approval.response_id IS NULL OR EXISTS (SELECT 1 FROM response r WHERE r.id = approval.response_id "
    f"AND r.owner = approval.owner AND r.{_ENDED}))"
)
DUE = "next_response_id IS NOT NULL AND sealed IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Approval:
    """A request and what has become of it. Times are Unix seconds."""

    id: str
    #: None where only the caller keeps the response that asks.
    response_id: str | None
    server_label: str
    name: str
    arguments: str
    created_at: float
    decision: Decision | None
    decided_at: float | None
    #: The item of the call that was made upon it.
    item_id: str | None
    #: The response that went on by itself.
    next_response_id: str | None

    @property
    def status(self) -> Status:
        if self.decision is None:
            return "pending"
        return "approved" if self.decision.approve else "denied"


# ---------------------------------------------------------------- deciding


def settle(rows: Rows, owner: str, id: str, decision: Decision, clock: str) -> bool:
    """Decide a request, once: False when it was decided so before. Raises `RequestError` when it was otherwise."""
    sql = (
        f"UPDATE approval SET approve = ?, reason = ?, given = ?, door = ?, decided_at = {clock} "
        "WHERE owner = ? AND id = ? AND approve IS NULL"
    )
    given = None if decision.values is None else orjson.dumps(decision.values).decode()
    reason = None if decision.reason is None else plain(decision.reason)
    row = (int(decision.approve), reason, given, decision.door, owner, plain(id))
    if rows.execute(sql, row).rowcount:
        return True
    before = decision_on(rows, owner, id)
    if before and before.approve != decision.approve:
        said = "approved" if before.approve else "denied"
        raise RequestError(f"The approval request {id} was already {said}.", param="input", code="already_decided")
    return False


def hold(rows: Rows, owner: str, response_id: str | None) -> bool:
    """Keep all others from deciding about the same response until the transaction ends; False when it is gone."""
    if response_id is None:
        return True
    sql = f"UPDATE response SET status = status WHERE id = ? AND owner = ? AND {_ENDED}"
    return rows.execute(sql, (response_id, owner)).rowcount == 1


_UNDECIDED = "SELECT 1 FROM approval o WHERE o.response_id = approval.response_id AND o.approve IS NULL"


def follow(rows: Rows, owner: str, response_id: str, next_response_id: str) -> None:
    """Once nothing is undecided: only a background response has something sealed."""
    sql = (
        "UPDATE approval SET next_response_id = ? WHERE response_id = ? AND owner = ? AND sealed IS NOT NULL "
        f"AND next_response_id IS NULL AND NOT EXISTS ({_UNDECIDED})"
    )
    rows.execute(sql, (next_response_id, response_id, owner))


def go_on_elsewhere(rows: Rows, owner: str, id: str) -> None:
    """The caller goes on with a response itself: nothing of it need be sealed any more."""
    sql = (
        "UPDATE approval SET sealed = NULL WHERE sealed IS NOT NULL AND next_response_id IS NULL AND owner = ? "
        "AND response_id = (SELECT a.response_id FROM approval a WHERE a.owner = ? AND a.id = ?) "
        f"AND NOT EXISTS ({_UNDECIDED})"
    )
    rows.execute(sql, (owner, owner, plain(id)))


# ---------------------------------------------------------------- rows


def insert(
    rows: Rows, owner: str, request: Item, clock: str, asking: tuple[str | None, bytes | None] = (None, None)
) -> None:
    """`asking`: the response that asks, and its sealed declarations if it is to go on by itself."""
    sql = (
        "INSERT INTO approval (owner, id, server_label, name, arguments, created_at, response_id, sealed) "
        f"VALUES (?, ?, ?, ?, ?, {clock}, ?, ?) ON CONFLICT DO NOTHING"
    )
    rows.execute(sql, (owner, plain(request["id"]), *_asked(request), *asking))


def check_same(rows: Rows, owner: str, request: Item) -> None:
    sql = "SELECT server_label, name, arguments FROM approval WHERE owner = ? AND id = ?"
    row = rows.execute(sql, (owner, plain(request["id"]))).fetchone()
    if row and tuple(row) != _asked(request):
        message = f"The approval request {request['id']} asked for another call than the one given."
        raise RequestError(message, param="input", code="invalid_value")


def _asked(request: Item) -> tuple[str, str, str]:
    return plain(request["server_label"]), plain(request["name"]), plain(request["arguments"])


def plain(text: str) -> str:
    """As both databases can keep it; what callers bring along may be anything."""
    return text.replace("\0", "\ufffd")


def decision_on(rows: Rows, owner: str, id: str) -> Decision | None:
    sql = "SELECT approve, reason, given, door FROM approval WHERE owner = ? AND id = ?"
    row = rows.execute(sql, (owner, plain(id))).fetchone()
    return _decision_of(*row) if row else None


def _decision_of(approve: int | None, reason: str | None, given: str | None, door: Any) -> Decision | None:
    return None if approve is None else Decision(bool(approve), reason, orjson.loads(given) if given else None, door)


def find(rows: Rows, owner: str, id: str) -> Approval | None:
    sql = f"SELECT {COLUMNS} FROM approval WHERE owner = ? AND id = ? AND {SHOWN}"
    row = rows.execute(sql, (owner, plain(id))).fetchone()
    return approval_of(row) if row else None


def approval_of(row: Sequence[Any]) -> Approval:
    id, response_id, label, name, arguments, created_at, *said, decided_at, item_id, next_id = row
    decision = _decision_of(*said)
    return Approval(id, response_id, label, name, arguments, created_at, decision, decided_at, item_id, next_id)


def due_of(rows: Rows, owner: str, response_id: str | None) -> Due | None:
    sql = (
        "SELECT owner, response_id, next_response_id, sealed FROM approval "
        f"WHERE owner = ? AND response_id = ? AND {DUE} LIMIT 1"
    )
    row = rows.execute(sql, (owner, response_id)).fetchone()
    return due_at(row) if row else None


def due_at(row: Sequence[Any]) -> Due:
    owner, response_id, next_response_id, sealed = row
    return Due(owner, response_id, next_response_id, bytes(sealed).decode())
