"""What all endpoints share: JSON out, failures in OpenAI's shape, request ids, and the end of a connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, TypeVar, cast

import orjson
from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders, QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkpoints.page import Page
from graph.errors import Failure, Json, NotFound, RequestError, Unavailable
from graph.ids import new_id

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds until it is worth asking again, where the failure does not say.
_RETRY_S = 2
#: Statuses of failures that began nothing and may be over in a moment. After the others a client that asks again by
#: itself would meet the same failure (500), or set a model server to work that may still be working (504).
_PASSING = frozenset({429, 502, 503})


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def failure_response(failure: Failure, accepted: bool = False) -> Response:
    """`accepted`: the run had begun, so that asking again would repeat what it has done."""
    headers: dict[str, str] = {}
    if failure.status in (409, 429) or failure.status >= 500:  # those the SDKs would ask again after
        headers["x-should-retry"] = "true" if failure.status in _PASSING and not accepted else "false"
    wait_s = failure.retry_after_s or (_RETRY_S if isinstance(failure, Unavailable) else 0)
    if wait_s:
        headers["retry-after"] = f"{max(1, round(wait_s))}"
    return json_response(failure.body(), failure.status, headers)


def handle_failures(app: FastAPI) -> None:
    """Every error of an endpoint, and of routing, in the one shape clients parse."""

    async def failed(request: Request, error: Exception) -> Response:
        return failure_response(cast(Failure, error))

    async def unrouted(request: Request, error: Exception) -> Response:
        status = cast(HTTPException, error).status_code
        if status == 404:
            return failure_response(NotFound(f"Unknown request URL: {request.method} {request.url.path}."))
        message = f"Not allowed to {request.method} on {request.url.path}."
        return failure_response(RequestError(message, status=status))

    async def broken(request: Request, error: Exception) -> Response:
        logger.error("A request failed on a bug", exc_info=error, extra={"path": request.url.path})
        return failure_response(Failure("The server had an error while processing your request."))

    app.add_exception_handler(Failure, failed)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(Exception, broken)


class RequestId:
    """Every response carries `x-request-id`, which the SDKs show as `_request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["x-request-id"] = new_id("req_")
                headers["openai-version"] = "2020-10-01"
            await send(message)

        await self._app(scope, receive, with_id)


async def unless_left(receive: Receive, work: Awaitable[Any], leave: Callable[[], object]) -> Any:
    """Await `work`; call `leave` once if the caller hangs up before it is done."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        leave()

    watching = asyncio.create_task(watch())
    try:
        return await work
    finally:
        watching.cancel()


async def until_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """Await `work`; None, and it is stopped, if the caller hangs up before it is done."""
    task = asyncio.create_task(work)
    try:
        await unless_left(receive, asyncio.wait([task]), task.cancel)
        return None if task.cancelled() else task.result()
    finally:
        task.cancel()


def page_of(items: list[Json], query: Any) -> Json:
    """One page of a list. Source: CONTRACT of the Responses API, "Pagination"."""
    limit, order, after, _ = wanted = page_wanted(query)
    ordered = items if order == "asc" else items[::-1]
    if after:
        at = next((i for i, item in enumerate(ordered) if item["id"] == after), None)
        if at is None:
            raise not_in_list(after)
        ordered = ordered[at + 1 :]
    return first_of(ordered[: limit + 1], wanted)


def page_wanted(query: Any, longest: int = 100, default: int = 20, *, before: bool = False) -> Page:
    """`before`: whether the list may be read backwards. Raises `RequestError`."""
    after, until = query.get("after") or None, (query.get("before") or None) if before else None
    if after and until:
        message = "Ensure you are only providing one of: 'after' or 'before'."
        raise RequestError(message, param="before", code="mutually_exclusive_parameters")
    return Page(_limit(query.get("limit"), longest, default), _order(query.get("order")), after, until)


def include_of(query: QueryParams) -> list[str]:
    """What `include` asks for, however it is written: `include[]=a`, `include=a`, `include[0]=a`."""
    return [value for key, value in query.multi_items() if key.partition("[")[0] == "include"]


def not_in_list(id: str, param: str = "after") -> RequestError:
    return RequestError(f"No item with id '{id[:100]}' is in this list.", param=param, code="invalid_value")


def first_of(items: list[Json], page: Page) -> Json:
    """A page of what begins with it; one item more says that there are more."""
    shown = items[: page.limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(items) > page.limit,
    }


def _limit(given: str | None, longest: int, default: int) -> int:
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= longest):
        message = f"Invalid 'limit': expected an integer from 1 to {longest}, but got '{given[:20]}' instead."
        raise RequestError(message, param="limit", code="invalid_value")
    return int(given)


def _order(given: str | None) -> Literal["asc", "desc"]:
    if given is None or given == "":
        return "desc"
    if given not in ("asc", "desc"):
        raise RequestError(
            f"Invalid value: '{given[:20]}'. Supported values are: 'asc', 'desc'.", param="order", code="invalid_value"
        )
    return given
