"""Responses read again: as they stand, or their events, from whichever process makes them."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import orjson
from starlette.responses import Response
from starlette.types import Receive

from checkpoints import Stored
from graph.errors import Json, NotFound, RequestError, StoreUnavailable, Unavailable
from graph.snapshot import output_of, snapshot
from server.house import House
from server.http import until_left
from server.sse import EventStream

#: A number no event has: who follows from here only waits for the end.
_NEVER = 2**62
_ITEM_DONE = b"event: response.output_item.done\ndata: "
#: Seconds a stream that has begun waits for a store that cannot be reached, and between two tries.
_PATIENCE_S, _TRY_S = 30.0, 0.5


async def stored_of(house: House, owner: str, response_id: str) -> Stored:
    """Raises `NotFound`."""
    stored = await house.store.responses.find(owner, response_id)
    if stored is None:
        raise NotFound(f"Response with id '{response_id}' not found.")
    return stored


def is_going_on(stored: Stored) -> bool:
    return stored.record["status"] in ("queued", "in_progress")


async def current(house: House, stored: Stored, include: Collection[str] = ()) -> Json:
    """The response as it stands: of one that is being made, the items that are done."""
    record = stored.record
    output = await _output_so_far(house, stored) if is_going_on(stored) else None
    if output is None:
        entries = await house.store.responses.own_items(stored)
        output = output_of(entries[record["output_at"] - record["input_at"] :], include)
    return snapshot(record, stored.request, output)


async def _output_so_far(house: House, stored: Stored) -> list[Json] | None:
    """Events are written down sooner than checkpoints; None where none are kept."""
    frames, _ = await house.store.events.read(stored.record["id"], -1)
    return await asyncio.to_thread(_items_done, frames) if frames else None


def _items_done(frames: Sequence[bytes]) -> list[Json]:
    done = [frame for frame in frames if frame.startswith(_ITEM_DONE)]
    return [orjson.loads(frame[len(_ITEM_DONE) :])["item"] for frame in done]


async def replay(house: House, stored: Stored, after: int = -1, headers: dict[str, str] | None = None) -> Response:
    """The events above `after`, and those to come. Raises `RequestError` when there is no such event."""
    id = stored.record["id"]
    found, _ = await house.store.events.read(id, max(after, 0) - 1)
    if not found:
        raise await _no_events(house, stored, after)
    return EventStream(followed(house, id, after), headers=headers)


async def _no_events(house: House, stored: Stored, after: int) -> RequestError:
    id = stored.record["id"]
    if await house.store.events.any(id):
        message = f"Invalid 'starting_after': the response has no event with the number {after} yet."
        return RequestError(message, param="starting_after", code="invalid_value")
    if stored.record["background"]:
        message = f"The events of the response '{id}' are no longer kept; retrieve it without 'stream'."
    else:
        message = "Only responses created with 'background' can be streamed again, and those whose events are kept."
    return RequestError(message, param="stream")


def after_of(query: Mapping[str, str]) -> int:
    """`starting_after`; -1 when it is not there. Raises `RequestError`."""
    given = query.get("starting_after")
    if given is None:
        return -1
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        message = f"Invalid 'starting_after': expected the number of an event, but got '{given[:20]}' instead."
        raise RequestError(message, param="starting_after", code="invalid_value")
    return int(given)


async def followed(house: House, response_id: str, after: int = -1) -> AsyncIterator[list[bytes]]:
    """The frames above `after` until the last, also over a moment in which the store cannot be reached."""
    until = 0.0
    while True:
        try:
            async for frames in house.runner.follow(response_id, after):
                after += len(frames)
                until = 0.0
                yield frames
            return
        except StoreUnavailable:
            until = until or time.monotonic() + _PATIENCE_S
            if time.monotonic() > until:
                return
            await asyncio.sleep(_TRY_S)


async def ended(house: House, owner: str, response_id: str, receive: Receive) -> Json:
    """The response when its last event has been said, wherever that is.

    Raises `Unavailable` when the server stops before.
    """

    async def wait() -> None:
        async for _ in followed(house, response_id, _NEVER):
            pass

    await until_left(receive, wait())
    stored = await stored_of(house, owner, response_id)
    if is_going_on(stored):
        raise Unavailable("The response is still being made, and this server is stopping.", retry_after_s=5)
    return await current(house, stored)
