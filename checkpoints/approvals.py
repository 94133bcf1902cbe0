"""Requests to approve a call, and what was decided: fits `graph.approvals.Approvals`.

The row of a request decides between all who answer it and all who act upon it, on whatever machine.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from checkpoints import approval
from checkpoints.approval import COLUMNS, DUE, SHOWN, Approval, Status
from checkpoints.database import Database, Rows, Work
from checkpoints.page import Page, keyset
from graph.approvals import Answer, Decision, Due
from graph.state import Item

#: Seconds that a decision is kept of which only the caller keeps the request.
KEPT_S = 30 * 24 * 3600
#: True of what nobody can ask for any more; takes a time that is `KEPT_S` ago.
OVER = (
    "COALESCE(decided_at, created_at) < ? AND (response_id IS NULL "
    "OR NOT EXISTS (SELECT 1 FROM response r WHERE r.id = approval.response_id))"
)
_STATUS = {"pending": "approve IS NULL", "approved": "approve = 1", "denied": "approve = 0"}
#: How many are looked for at once.
_MANY = 100


class Decided(NamedTuple):
    approval: Approval
    #: Whether it was not decided before.
    new: bool
    #: What goes on by itself now, or was to and has not begun.
    due: Due | None


class Approvals:
    """Another owner's requests are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ seen from a run

    async def ask(self, owner: str, response_id: str, requests: Sequence[Item], *, alone: bool) -> None:
        """List requests as pending; a second time does nothing."""
        clock = self._database.clock

        def work(rows: Rows) -> None:
            sql = "SELECT sealed FROM run WHERE response_id = ? AND background = 1"
            run = rows.execute(sql, (response_id,)).fetchone() if alone else None
            for request in requests:
                approval.insert(rows, owner, request, clock, (response_id, run[0] if run else None))

        await self._write(work)

    async def decided(self, owner: str, request_ids: Sequence[str]) -> Mapping[str, Decision]:
        """Those of the requests that are decided."""

        def work(rows: Rows) -> dict[str, Decision]:
            found = {id: approval.decision_on(rows, owner, id) for id in request_ids}
            return {id: decision for id, decision in found.items() if decision is not None}

        return await asyncio.wrap_future(self._database.read(work))

    async def decide(self, owner: str, answers: Sequence[Answer]) -> Sequence[Answer]:
        """Keep decisions; gives those that are new. Raises `RequestError` when one was decided otherwise before, or
        when the request is not the one that was made.
        """
        clock = self._database.clock

        def work(rows: Rows) -> list[Answer]:
            for answer in answers:
                approval.insert(rows, owner, answer.request, clock)
                approval.check_same(rows, owner, answer.request)
            new = [one for one in answers if approval.settle(rows, owner, one.request["id"], one.decision, clock)]
            for answer in new:
                approval.go_on_elsewhere(rows, owner, answer.request["id"])
            return new

        return await self._write(work)

    async def use(self, owner: str, request_id: str, item_id: str) -> str:
        """Make the one call that was approved: the item that makes it, `item_id` unless another came first."""
        key = (owner, approval.plain(request_id))

        def work(rows: Rows) -> str:
            sql = "UPDATE approval SET item_id = ? WHERE owner = ? AND id = ? AND item_id IS NULL"
            rows.execute(sql, (item_id, *key))
            found = rows.execute("SELECT item_id FROM approval WHERE owner = ? AND id = ?", key).fetchone()
            return found[0] if found else item_id

        return await self._write(work)

    # ------------------------------------------------------------ seen from outside

    async def page(self, owner: str, status: Status, page: Page) -> Sequence[Approval] | None:
        """Requests in the order they were made, one more than the page holds; None when `after` is not there."""
        where = f"owner = ? AND {_STATUS[status]} AND {SHOWN}"

        def work(rows: Rows) -> list[Approval] | None:
            after = approval.find(rows, owner, page.after) if page.after else None
            if page.after and after is None:
                return None
            beyond, given = keyset(page, (after.created_at, after.id) if after else None)
            sql = f"SELECT {COLUMNS} FROM approval WHERE {where}{beyond}"
            return [approval.approval_of(row) for row in rows.execute(sql, (owner, *given)).fetchall()]

        return await asyncio.wrap_future(self._database.read(work))

    async def find(self, owner: str, id: str) -> Approval | None:
        return await asyncio.wrap_future(self._database.read(lambda rows: approval.find(rows, owner, id)))

    async def resolve(self, owner: str, id: str, decision: Decision, next_response_id: str) -> Decided | None:
        """Decide one request; None when there is none. With the last of a background response `next_response_id`
        stands for the one that follows it. Raises `RequestError` when it was decided otherwise before.
        """
        clock = self._database.clock

        def work(rows: Rows) -> Decided | None:
            found = approval.find(rows, owner, id)
            if found is None or not approval.hold(rows, owner, found.response_id):
                return None
            new = approval.settle(rows, owner, id, decision, clock)
            if found.response_id is not None:
                approval.follow(rows, owner, found.response_id, next_response_id)
            after = approval.find(rows, owner, id)
            return Decided(after or found, new, approval.due_of(rows, owner, found.response_id))

        return await self._write(work)

    async def due(self) -> Sequence[Due]:
        """Responses that go on by themselves and have not begun: whoever decided last may have died."""
        sql = f"SELECT DISTINCT owner, response_id, next_response_id, sealed FROM approval WHERE {DUE} LIMIT {_MANY}"
        found = self._database.read(lambda rows: rows.execute(sql).fetchall())
        return [approval.due_at(row) for row in await asyncio.wrap_future(found)]

    async def give_up(self, next_response_id: str) -> bool:
        """A response does not go on by itself after all; False when it has."""
        sql = f"UPDATE approval SET sealed = NULL, next_response_id = NULL WHERE next_response_id = ? AND {DUE}"
        return await self._write(lambda rows: rows.execute(sql, (next_response_id,)).rowcount) > 0

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def begin(rows: Rows, next_response_id: str) -> bool:
    """A response that follows decided requests begins; False when it has begun before, in whatever process."""
    sql = f"UPDATE approval SET sealed = NULL WHERE next_response_id = ? AND {DUE}"
    return rows.execute(sql, (next_response_id,)).rowcount > 0


def forget(rows: Rows, response_id: str) -> None:
    rows.execute("DELETE FROM approval WHERE response_id = ?", (response_id,))
