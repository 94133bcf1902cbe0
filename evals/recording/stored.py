"""Finds stored responses on a server, and gets the recordings of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from openai import APIStatusError, AsyncOpenAI

from evals.unfit import Unfit

Json = dict[str, Any]

_PAGE, _AT_ONCE = 100, 8
_ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})
#: What a server without our extensions answers where they are.
_UNKNOWN = frozenset({404, 405, 501})


async def recorded(client: AsyncOpenAI, query: Mapping[str, str], limit: int) -> list[Json]:
    """Recordings of the latest `limit` responses that the query finds, and whose model was asked, the oldest first.

    Raises `Unfit`.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(id: str) -> Json | None:
        async with turns:
            return await _recording(client, id)

    found = list[Json]()
    wanted = list[str]()
    async for id in _listed(client, query):
        wanted.append(id)
        if len(found) + len(wanted) >= limit:
            found += _with_turns(await asyncio.gather(*map(one, wanted)))
            wanted = []
        if len(found) >= limit:
            break
    return (found + _with_turns(await asyncio.gather(*map(one, wanted))))[::-1]


async def _listed(client: AsyncOpenAI, query: Mapping[str, str]) -> AsyncIterator[str]:
    """Ids, the latest first."""
    after: str | None = None
    while True:
        params = {**query, "limit": _PAGE, "order": "desc", **({"after": after} if after else {})}
        page = await _page(client, params)
        for response in page["data"]:
            if response["status"] in _ENDED:
                yield response["id"]
        after = page["last_id"]
        if not page["has_more"] or not after:
            return


async def _page(client: AsyncOpenAI, params: Json) -> Json:
    try:
        return cast(Json, await client.get("/responses", cast_to=object, options={"params": params}))
    except APIStatusError as error:
        if error.status_code not in _UNKNOWN:
            raise
        raise Unfit(
            f"{client.base_url.host} does not list stored responses: record from a GraphNexus server."
        ) from error


async def _recording(client: AsyncOpenAI, id: str) -> Json | None:
    """None where it has been deleted meanwhile."""
    try:
        return cast(Json, await client.get(f"/responses/{id}/recording", cast_to=object))
    except APIStatusError as error:
        if error.status_code == 404:
            return None
        raise


def _with_turns(recordings: list[Json | None]) -> list[Json]:
    return [one for one in recordings if one and any(step["node"] == "call_model" for step in one["steps"])]
