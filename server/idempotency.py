"""`Idempotency-Key`: a request that is sent again gets the response that was made, or is being made, for the first."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response

from checkpoints import Attempt
from graph.ask import Ask
from graph.errors import RequestError
from graph.ids import new_id
from server.creation import Creation
from server.http import json_response, unless_left
from server.reading import current, ended, replay, stored_of

_REPLAYED = {"idempotent-replayed": "true"}
_MAX_CHARS = 255
#: Seconds between two looks at how an earlier request fares: at first, and at most.
_LOOK_S, _LOOK_AT_MOST_S = 0.05, 0.5


def key_of(headers: Mapping[str, str], ask: Ask) -> str | None:
    """The caller's key. Raises `RequestError` for one that cannot be kept."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= _MAX_CHARS and key.isascii() and key.isprintable()):
        message = f"Invalid 'Idempotency-Key' header: expected 1 to {_MAX_CHARS} printable ASCII characters."
        raise RequestError(message, code="invalid_value")
    if not (ask.stored or ask.background):
        message = "An 'Idempotency-Key' needs a response that is kept: leave 'store' out, or the header."
        raise RequestError(message, param="store")
    return key


async def once(creation: Creation, key: str, body: Any) -> Response:
    """The answer to `creation`, made unless there is one. Raises `RequestError` when the key was for another body."""
    mine = Attempt(new_id("resp_"), _hash(body), begun=False)
    left = asyncio.Event()
    held = await unless_left(creation.receive, _hold(creation, key, mine, left), left.set)
    if held.response_id != mine.response_id:
        return await _again(creation, held.response_id)
    ask = replace(creation.ask, response_id=mine.response_id, resumable=not creation.ask.background)
    return await _first(replace(creation, ask=ask), mine.response_id)


async def _hold(creation: Creation, key: str, mine: Attempt, left: asyncio.Event) -> Attempt:
    """Whose key it is, once that is known: an attempt that has not begun may still fail and give it back."""
    wait_s = _LOOK_S
    while True:
        held = await creation.house.store.idempotency.take(creation.ask.owner, key, mine)
        if held.body_hash != mine.body_hash:
            message = "This 'Idempotency-Key' was sent before with another body; a key stands for one request."
            raise RequestError(message, status=422, code="idempotency_key_reused")
        if held.begun or held.response_id == mine.response_id or left.is_set():
            return held
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 1.5, _LOOK_AT_MOST_S)


async def _first(creation: Creation, response_id: str) -> Response:
    """Make the response; what fails before it has begun frees the key."""
    begun = False
    try:
        answer = await creation.answer()
        begun = True
        return answer
    finally:
        if not begun:
            await creation.house.store.idempotency.release(response_id)


async def _again(creation: Creation, response_id: str) -> Response:
    """What the first request got, or will get."""
    house, owner = creation.house, creation.ask.owner
    stored = await stored_of(house, owner, response_id)
    if creation.streamed:
        return await replay(house, stored, headers=_REPLAYED)
    if creation.ask.background:
        return json_response(await current(house, stored), headers=_REPLAYED)
    return json_response(await ended(house, owner, response_id, creation.receive), headers=_REPLAYED)


def _hash(body: Any) -> bytes:
    """The same for bodies that mean the same, in whatever order their keys stand."""
    try:
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer of more than 64 bits
        text = json.dumps(body, sort_keys=True).encode()
    return hashlib.sha256(text).digest()
