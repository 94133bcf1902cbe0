"""`/v1/responses`: create, retrieve, delete, cancel, input items, token counts, compaction."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from graph.errors import Json, NotFound, RequestError
from graph.including import revealed
from server.asking import ask_of
from server.creation import Creation
from server.house import body_of, house_of, owner_of
from server.http import include_of, json_response, page_of
from server.idempotency import key_of, once
from server.openapi import LIST, asks, takes
from server.reading import after_of, current, is_going_on, replay, stored_of
from server.wire.problems import read
from server.wire.request import COMPACT, COUNT_TOKENS, Context, CountTokens, CreateResponse

router = APIRouter(prefix="/v1/responses", tags=["responses"])


@router.post("", openapi_extra=takes(CreateResponse) | asks("Idempotency-Key"))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    ask = await ask_of(body, owner, house)
    creation = Creation(house, ask, bool(body.get("stream")), request.receive)
    key = key_of(request.headers, ask)
    return await (creation.answer() if key is None else once(creation, key, body))


@router.get("/{response_id}", openapi_extra=asks("include[]", "stream", "starting_after"))
async def retrieve(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    stored = await stored_of(house, owner, response_id)
    after = after_of(request.query_params)
    if _is_stream(request.query_params):
        return await replay(house, stored, after)
    return json_response(await current(house, stored, include_of(request.query_params)))


@router.delete("/{response_id}")
async def delete(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    stored = await stored_of(house, owner, response_id)
    if is_going_on(stored) and stored.record["background"]:
        await house.background.cancel(owner, response_id)
    if not await house.store.responses.delete(owner, response_id):
        raise NotFound(f"Response with id '{response_id}' not found.")
    return json_response({"id": response_id, "object": "response", "deleted": True})


@router.post("/{response_id}/cancel")
async def cancel(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    """A response that has ended stays as it is."""
    house = house_of(request)
    stored = await stored_of(house, owner, response_id)
    if not stored.record["background"]:
        raise RequestError("Cannot cancel a synchronous response.")
    if is_going_on(stored):
        await house.background.cancel(owner, response_id)
        stored = await stored_of(house, owner, response_id)
    return json_response(await current(house, stored))


@router.get("/{response_id}/input_items", openapi_extra=asks(*LIST, "include[]"))
async def input_items(response_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    stored = await stored_of(house, owner, response_id)
    entries = await house.store.responses.own_items(stored)
    record = stored.record
    own = entries[: record["output_at"] - record["input_at"]]
    include = include_of(request.query_params)
    return json_response(page_of([revealed(entry, include) for entry in own], request.query_params))


@router.post("/input_tokens", openapi_extra=takes(CountTokens))
async def input_tokens(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    read(COUNT_TOKENS, body)
    _refuse_background(body)
    ask = await ask_of({**body, "store": False, "stream": None}, owner, house)
    return json_response({"object": "response.input_tokens", "input_tokens": await house.runner.count_tokens(ask)})


@router.post("/compact", openapi_extra=takes(Context))
async def compact(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    read(COMPACT, body)
    _refuse_background(body)
    given: Json = {key: body.get(key) for key in ("model", "input", "instructions", "previous_response_id")}
    ask = await ask_of({**given, "store": False}, owner, house)
    return json_response(await house.runner.compact(ask))


def _refuse_background(body: Json) -> None:
    if body.get("background"):
        raise RequestError("'background' makes sense only where a response is created.", param="background")


def _is_stream(query: Mapping[str, str]) -> bool:
    given = query.get("stream", "false").lower()
    if given not in ("true", "false", "1", "0", ""):
        message = f"Invalid type for 'stream': expected a boolean, but got '{given[:20]}' instead."
        raise RequestError(message, param="stream", code="invalid_type")
    return given in ("true", "1")
