"""Requests to approve a call, and what was decided: fits `graph.approvals.Approvals`.

The row of a request decides between all who answer it and all who act upon it, on whatever machine.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Mapping, Sequence

from checkpoints.database import Database, Rows
from graph.approvals import Answer, Decision
from graph.errors import RequestError
from graph.state import Item


class Approvals:
    """Another owner's requests are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, owner: str, response_id: str, requests: Sequence[Item]) -> None:
        """List requests as pending; a second time does nothing."""

        def work(rows: Rows) -> None:
            for request in requests:
                _insert(rows, owner, request, response_id, self._database.clock)

        await asyncio.wrap_future(self._database.write(work))

    async def decided(self, owner: str, request_ids: Sequence[str]) -> Mapping[str, Decision]:
        """Those of the requests that are decided."""
        return await asyncio.wrap_future(
            self._database.read(
                lambda rows: {id: found for id in request_ids if (found := _decision(rows, owner, id)) is not None}
            )
        )

    async def decide(self, owner: str, answers: Sequence[Answer]) -> Sequence[Answer]:
        """Keep decisions; gives those that are new. Raises `RequestError` when one was decided otherwise before, or
        when the request is not the one that was made.
        """

        def work(rows: Rows) -> list[Answer]:
            for answer in answers:
                _insert(rows, owner, answer.request, None, self._database.clock)
                _check_same(rows, owner, answer.request)
            clock = self._database.clock
            return [one for one in answers if settle(rows, owner, one.request["id"], one.decision, clock)]

        return await asyncio.wrap_future(self._database.write(work))

    async def use(self, owner: str, request_id: str, item_id: str) -> str:
        """Make the one call that was approved: the item that makes it, `item_id` unless another came first."""

        def work(rows: Rows) -> str:
            sql = "UPDATE approval SET item_id = ? WHERE owner = ? AND id = ? AND item_id IS NULL"
            rows.execute(sql, (item_id, owner, request_id))
            sql = "SELECT item_id FROM approval WHERE owner = ? AND id = ?"
            found = rows.execute(sql, (owner, request_id)).fetchone()
            return found[0] if found else item_id

        return await asyncio.wrap_future(self._database.write(work))


def settle(rows: Rows, owner: str, id: str, decision: Decision, clock: str) -> bool:
    """Decide a request, once: False when it was decided so before. Raises `RequestError` when it was otherwise."""
    before = _decision(rows, owner, id)
    if before is not None:
        if before.approve != decision.approve:
            said = "approved" if before.approve else "denied"
            raise RequestError(f"The approval request {id} was already {said}.", param="input", code="already_decided")
        return False
    sql = f"UPDATE approval SET approve = ?, reason = ?, decided_at = {clock} WHERE owner = ? AND id = ?"
    rows.execute(sql, (int(decision.approve), decision.reason, owner, id))
    return True


def forget(rows: Rows, response_id: str) -> None:
    rows.execute("DELETE FROM approval WHERE response_id = ?", (response_id,))


def _insert(rows: Rows, owner: str, request: Item, response_id: str | None, clock: str) -> None:
    sealed = "SELECT sealed FROM run WHERE response_id = ? AND background = 1"
    sql = (
        "INSERT INTO approval (owner, id, response_id, server_label, name, arguments, created_at, sealed) "
        f"VALUES (?, ?, ?, ?, ?, ?, {clock}, ({sealed})) ON CONFLICT DO NOTHING"
    )
    asked = (request["server_label"], request["name"], request["arguments"])
    rows.execute(sql, (owner, request["id"], response_id, *asked, response_id))


def _check_same(rows: Rows, owner: str, request: Item) -> None:
    sql = "SELECT server_label, name, arguments FROM approval WHERE owner = ? AND id = ?"
    row = rows.execute(sql, (owner, request["id"])).fetchone()
    if row and tuple(row) != (request["server_label"], request["name"], request["arguments"]):
        message = f"The approval request {request['id']} asked for another call than the one given."
        raise RequestError(message, param="input", code="invalid_value")


def _decision(rows: Rows, owner: str, id: str) -> Decision | None:
    sql = "SELECT approve, reason FROM approval WHERE owner = ? AND id = ?"
    row = rows.execute(sql, (owner, id)).fetchone()
    return Decision(bool(row[0]), row[1]) if row and row[0] is not None else None
