"""`/v1/responses`: create, retrieve, delete, cancel, input items, token counts, compaction."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints import Stored
from graph.errors import Json, NotFound, RequestError, Unavailable
from graph.snapshot import output_of, snapshot
from server.asking import ask_of
from server.house import body_of, house_of, owner_of
from server.http import json_response, page_of, unless_left
from server.openapi import takes
from server.sse import EventStream
from server.wire.problems import read
from server.wire.request import COMPACT, COUNT_TOKENS, Context, CountTokens, CreateResponse

router = APIRouter(prefix="/v1/responses", tags=["responses"])


@router.post("", openapi_extra=takes(CreateResponse))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    running = await house.runner.start(await ask_of(body, owner, house))
    leave = partial(house.runner.leave, running)
    if body.get("stream"):
        await unless_left(request.receive, house.runner.begun(running), leave)
        return EventStream(running.log, leave)
    response = await unless_left(request.receive, running.log.ended(), leave)
    if response is None:
        raise Unavailable("The response was given up: the server is shutting down.", retry_after_s=5)
    return json_response(response)


@router.get("", include_in_schema=False)
async def refuse_socket(request: Request) -> Response:
    """There is no WebSocket mode here yet; 426 sends clients that probe for one back to HTTP at once."""
    if "upgrade" in request.headers:
        message = "This server has no WebSocket mode; POST to /v1/responses with 'stream': true."
        raise RequestError(message, status=426)
    raise RequestError("Not allowed to GET on /v1/responses.", status=405)


@router.get("/{response_id}")
async def retrieve(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    stored = await _stored(response_id, request, owner)
    if request.query_params.get("stream") == "true":
        raise RequestError(
            "Only responses created with 'background' and 'stream' can be streamed again.", param="stream"
        )
    entries = await house_of(request).store.responses.own_items(stored)
    record = stored.record
    output = output_of(entries[record["output_at"] - record["input_at"] :])
    return json_response(snapshot(record, stored.request, output))


@router.delete("/{response_id}")
async def delete(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    if not await house_of(request).store.responses.delete(owner, response_id):
        raise _unknown(response_id)
    return json_response({"id": response_id, "object": "response", "deleted": True})


@router.post("/{response_id}/cancel")
async def cancel(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    await _stored(response_id, request, owner)
    raise RequestError("Cannot cancel a synchronous response.")


@router.get("/{response_id}/input_items")
async def input_items(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    stored = await _stored(response_id, request, owner)
    entries = await house_of(request).store.responses.own_items(stored)
    record = stored.record
    own = [entry["item"] for entry in entries[: record["output_at"] - record["input_at"]]]
    return json_response(page_of(own, request.query_params))


@router.post("/input_tokens", openapi_extra=takes(CountTokens))
async def input_tokens(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    read(COUNT_TOKENS, body)
    ask = await ask_of({**body, "store": False, "stream": None}, owner, house)
    return json_response({"object": "response.input_tokens", "input_tokens": await house.runner.count_tokens(ask)})


@router.post("/compact", openapi_extra=takes(Context))
async def compact(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    read(COMPACT, body)
    given: Json = {key: body.get(key) for key in ("model", "input", "instructions", "previous_response_id")}
    ask = await ask_of({**given, "store": False}, owner, house)
    return json_response(await house.runner.compact(ask))


async def _stored(response_id: str, request: Request, owner: str) -> Stored:
    stored = await house_of(request).store.responses.find(owner, response_id)
    if stored is None:
        raise _unknown(response_id)
    return stored


def _unknown(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id}' not found.")
