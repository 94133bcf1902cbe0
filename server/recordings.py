"""`GET /v1/responses` and `GET /v1/responses/{id}/recording`: stored runs, to look at, to keep and to make again.

Both are ours. What was recorded goes back in `replay` of `POST /responses`.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from checkpoints import Stored
from checkpoints.responses import Wanted
from graph.errors import Json, RequestError
from graph.including import revealed
from graph.recording import steps_of, turns_of
from graph.snapshot import snapshot
from graph.state import Entry
from server.house import House, house_of, owner_of
from server.http import json_response, not_in_list, page_wanted
from server.openapi import LIST, asks
from server.reading import current, is_going_on, stored_of

router = APIRouter(prefix="/v1/responses", tags=["responses"])

_STATUSES = ("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")
#: Fields of an entry that are told.
_TOLD = frozenset({
    "item", "at", "turn", "call", "reply", "told", "held", "made", "sources", "untrusted", "brought_by", "approval",
})  # fmt: skip
#: Everything that is held back unless asked for.
_EVERYTHING = (
    "file_search_call.results", "web_search_call.action.sources", "web_search_call.results",
    "code_interpreter_call.outputs",
)  # fmt: skip


@router.get("", openapi_extra=asks(*LIST, "model", "tool", "created_after", "created_before"))
async def list_responses(request: Request, owner: str = Depends(owner_of)) -> Response:
    """Those of a page that do not fit `model`, `tool` or `metadata[…]` are left out of it: a page may be short, or
    empty, and say that there are more. `last_id` is where the next begins.
    """
    house, query = house_of(request), request.query_params
    page = page_wanted(query)
    found = await house.store.responses.page(owner, _wanted(query), page)
    if found is None:
        raise not_in_list(page.after or "")
    looked_at = found[: page.limit]
    fitting = [stored for stored in looked_at if _fits(stored, query)]
    shown = [await current(house, stored) for stored in fitting]
    if tool := query.get("tool"):
        shown = [one for one in shown if any(item["type"] == tool for item in one["output"])]
    return json_response(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": looked_at[-1].record["id"] if looked_at else None,
            "has_more": len(found) > page.limit,
        }
    )


@router.get("/{response_id}/recording")
async def recording(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    """All of a response that has ended, and of what came before it. Never a secret: they are not stored."""
    house = house_of(request)
    stored = await stored_of(house, owner, response_id)
    if is_going_on(stored):
        message = (
            f"Response with id '{response_id}' is {stored.record['status']}: it can be recorded when it has ended."
        )
        raise RequestError(message, param="response_id", code="invalid_value")
    return json_response(await _recorded(house, stored))


async def _recorded(house: House, stored: Stored) -> Json:
    record = stored.record
    entries = [_told(entry) for entry in await house.store.responses.items(stored)]
    output = sorted(entries[record["output_at"] :], key=lambda entry: entry.get("at", 0))
    functions = await house.store.responses.offered(stored)
    turns = {turn for turn in turns_of(output) if turn >= 0}
    return {
        "object": "response.recording",
        "response": snapshot(record, stored.request, [revealed(entry, _EVERYTHING) for entry in output]),
        "request": stored.request,
        "history": entries[: record["input_at"]],
        "input": entries[record["input_at"] : record["output_at"]],
        "output": output,
        "functions": functions,
        "steps": steps_of(output, functions),
        "turns": record["turns"],
        "repairs": max(0, record["turns"] - len(turns)),
    }


def _told(entry: Entry) -> Any:
    """An entry without what only this server can read."""
    item = entry["item"]
    if item["type"] == "reasoning" and item.get("encrypted_content"):
        item = {name: value for name, value in item.items() if name != "encrypted_content"}
    return {**{name: value for name, value in entry.items() if name in _TOLD}, "item": item}


def _fits(stored: Stored, query: QueryParams) -> bool:
    metadata: Mapping[str, str] = stored.request.get("metadata") or {}
    wanted = {name[9:-1]: value for name, value in query.items() if name.startswith("metadata[") and name.endswith("]")}
    if query.get("model") not in (None, stored.record["model"]):
        return False
    return all(metadata.get(name) == value for name, value in wanted.items())


def _wanted(query: QueryParams) -> Wanted:
    status = query.get("status")
    if status not in (None, *_STATUSES):
        values = ", ".join(f"'{one}'" for one in _STATUSES)
        message = f"Invalid value: '{str(status)[:20]}'. Supported values are: {values}."
        raise RequestError(message, param="status", code="invalid_value")
    return Wanted(status, _seconds(query, "created_after"), _seconds(query, "created_before"))


def _seconds(query: QueryParams, name: str) -> int | None:
    given = query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 13):
        message = f"Invalid '{name}': expected Unix seconds, but got '{given[:20]}' instead."
        raise RequestError(message, param=name, code="invalid_type")
    return int(given)
