"""What operators and their machines ask: `/health`, `/live`, `/metrics`."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from graph.errors import RequestError, Unauthorized
from server.auth import LOCAL, Gate
from server.health import Health
from server.http import json_response
from server.metrics import Metrics, Numbers

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Operations:
    """What there is to tell; built once, in `server/app.py`."""

    metrics: Metrics
    health: Health
    gate: Gate
    #: Opens `/metrics`; None: they are open while the server is.
    metrics_key: str | None
    #: Facts of the database by the names of `metrics.FACTS`.
    queue: Callable[[], Awaitable[Numbers]]
    #: How the pool of connections is.
    pool: Callable[[], Numbers]

    async def let_in(self, headers: Mapping[str, str]) -> None:
        """Raises unless these are an operator's: keys of callers open only what is theirs."""
        if self.metrics_key is None:
            if await self.gate.owner(headers) == LOCAL:
                return
            message = "API keys do not open the metrics; the setting `metrics_key` makes a key that does."
            raise RequestError(message, status=403, type="permission_error")
        given = headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self.metrics_key.encode()):
            raise Unauthorized("The metrics need the key of the setting `metrics_key`, as a Bearer token.")

    async def text(self) -> bytes:
        up = await self.health.problem() != "database"
        facts = {"store_up": float(up), **(await self.queue() if up else {})}
        return await self.metrics.text(self.pool(), facts)


def operations_of(request: Request) -> Operations:
    return request.state.house.operations


@router.get("/health")
async def health(request: Request) -> Response:
    """Whether a balancer should send requests here: the database answers, and the process is not about to end."""
    problem = await operations_of(request).health.problem()
    if problem is None:
        return json_response({"status": "ok"})
    return json_response({"status": "unavailable", "reason": problem}, 503, {"retry-after": "1"})


@router.get("/live")
async def live() -> Response:
    """Whether the process is worth keeping: it answers. One without its database is, since that comes back."""
    return json_response({"status": "ok"})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    operations = operations_of(request)
    await operations.let_in(request.headers)
    return Response(await operations.text(), media_type=CONTENT_TYPE_LATEST)
