"""`/v1/approvals`: calls that wait for somebody's yes, listed and decided."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints.approval import Approval, Status
from graph.approvals import Decision, told
from graph.errors import Json, NotFound, RequestError
from graph.ids import new_id
from server.house import body_of, house_of, owner_of
from server.http import first_of, json_response, not_in_list, page_wanted
from server.openapi import LIST, asks, takes
from server.wire.approval import DECIDE, Decide
from server.wire.problems import read

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])


@router.get("", openapi_extra=asks(*LIST, "status"))
async def list_approvals(request: Request, owner: str = Depends(owner_of)) -> Response:
    page = page_wanted(request.query_params)
    found = await house_of(request).store.approvals.page(owner, _status(request.query_params), page)
    if found is None:
        raise not_in_list(page.after or "")
    return json_response(first_of([_shown(approval) for approval in found], page))


@router.get("/{approval_id}")
async def retrieve(approval_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(_shown(await _found(request, owner, approval_id)))


@router.post("/{approval_id}", openapi_extra=takes(Decide))
async def decide(approval_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    """The same decision once more changes nothing. A background response that waits for nothing more goes on."""
    house = house_of(request)
    body: Any = await body_of(request)
    read(DECIDE, body)
    decision = Decision(body["approve"], body.get("reason"), body.get("values"), "endpoint")
    try:
        decided = await house.store.approvals.resolve(owner, approval_id, decision, new_id("resp_"))
    except RequestError as error:
        raise RequestError(error.message, param="approve", code=error.code, status=409) from error
    if decided is None:
        raise _unknown(approval_id)
    if decided.new:
        told(owner, _shown(decided.approval), decision, decided.approval.response_id or "")
    if decided.due:
        await house.background.go_on(decided.due, house.engine)
    return json_response(_shown(await _found(request, owner, approval_id)))


async def _found(request: Request, owner: str, id: str) -> Approval:
    found = await house_of(request).store.approvals.find(owner, id)
    if found is None:
        raise _unknown(id)
    return found


def _unknown(id: str) -> NotFound:
    return NotFound(f"Approval with id '{id}' not found.")


def _status(query: Mapping[str, str]) -> Status:
    match query.get("status", "pending"):
        case "pending" | "approved" | "denied" as status:
            return status
        case other:
            message = f"Invalid value: '{other[:20]}'. Supported values are: 'pending', 'approved', 'denied'."
            raise RequestError(message, param="status", code="invalid_value")


def _shown(approval: Approval) -> Json:
    decision = approval.decision
    return {
        "object": "approval",
        "id": approval.id,
        "response_id": approval.response_id,
        "server_label": approval.server_label,
        "name": approval.name,
        "arguments": approval.arguments,
        "status": approval.status,
        "reason": decision.reason if decision else None,
        "created_at": int(approval.created_at),
        "decided_at": None if approval.decided_at is None else int(approval.decided_at),
        "item_id": approval.item_id,
        "next_response_id": approval.next_response_id,
    }
