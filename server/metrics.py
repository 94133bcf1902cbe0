"""Numbers for operators, in the text format of Prometheus; nothing is done per token.

One process counts in memory. Several on one socket count in files they share, as prometheus_client does it, so that
whichever is asked answers for all.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.errors import Json
from graph.meter import Ended, Outcome

#: What is known of the database as a whole, asked for when the metrics are.
FACTS = {
    "store_up": "1 while the database answers.",
    "queue_depth": "Background responses that wait for a process, on this database.",
    "queue_oldest_seconds": "Seconds that the oldest of them has waited.",
}

_POOL = {"pool_size": "open", "pool_available": "idle", "requests_waiting": "waiting"}
#: Names of models that are told apart; callers can make up more.
_MODELS = 200
_OTHER = "other"
_NO_ROUTE = "none"
#: Several processes tell each other so often how they are.
_REFRESH_S = 5.0
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RESPONSE_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_KEPT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

Numbers = Mapping[str, float]


class Metrics:
    """All counters of a process; fits `graph.meter.Meter`."""

    def __init__(self, shared: str | None = None) -> None:
        """`shared`: the directory in which several processes count."""
        self._shared = shared
        self._registry = CollectorRegistry()
        self._histograms()
        self._counters()
        self._gauges()
        if not shared:
            ProcessCollector(registry=self._registry)
        self._requests: dict[tuple[str, str, int], Callable[[float], None]] = {}
        #: Those that are told apart.
        self.models: set[str] = set()

    def _histograms(self) -> None:
        registry, of_request = self._registry, ["method", "route", "status"]
        text = "Seconds from a request to the first byte of its answer."
        self._answered = Histogram(
            "graphnexus_http_request_seconds", text, of_request, registry=registry, buckets=_REQUEST_S
        )
        text = "Seconds in which a response was made, by how it ended."
        self._made = Histogram("graphnexus_response_seconds", text, ["status"], registry=registry, buckets=_RESPONSE_S)
        text = "Seconds that writing a batch of kept events down took."
        self._kept = Histogram("graphnexus_event_write_seconds", text, registry=registry, buckets=_KEPT_S)

    def _counters(self) -> None:
        registry = self._registry
        self._begun = Counter("graphnexus_responses_begun", "Responses begun.", ["model"], registry=registry)
        text = "Responses ended, by how."
        self._ended = Counter("graphnexus_responses_ended", text, ["model", "status"], registry=registry)
        text = "Tokens of ended responses; cached ones are among the input, reasoning among the output."
        self._tokens = Counter("graphnexus_tokens", text, ["model", "kind"], registry=registry)

    def _gauges(self) -> None:
        registry, mode = self._registry, "livesum"
        text = "Requests being answered, streams included."
        requests = Gauge("graphnexus_http_requests_open", text, registry=registry, multiprocess_mode=mode)
        text = "WebSocket connections."
        sockets = Gauge("graphnexus_websockets_open", text, registry=registry, multiprocess_mode=mode)
        self._open = {"http": requests, "websocket": sockets}
        text = "Responses being made."
        self._active = Gauge("graphnexus_runs_active", text, registry=registry, multiprocess_mode=mode)
        text = "Connections to the database, and requests that wait for one, as its pool counts them."
        self._pool = Gauge("graphnexus_store_pool", text, ["state"], registry=registry, multiprocess_mode=mode)

    # ------------------------------------------------------------ counting

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        observe = self._requests.get((method, route, status))
        if observe is None:
            observe = self._requests[method, route, status] = self._answered.labels(method, route, status).observe
        observe(seconds)

    def open(self, kind: Literal["http", "websocket"]) -> AbstractContextManager[None]:
        return self._open[kind].track_inprogress()

    def begun(self, model: str) -> Ended:
        model = self._told_apart(model)
        self._begun.labels(model).inc()
        self._active.inc()
        return partial(self._end, model, time.perf_counter())

    def kept(self, seconds: float) -> None:
        """A batch of events was written down."""
        self._kept.observe(seconds)

    def _end(self, model: str, since: float, outcome: Outcome, usage: Json | None) -> None:
        self._active.dec()
        self._ended.labels(model, outcome).inc()
        self._made.labels(outcome).observe(time.perf_counter() - since)
        for kind, count in _tokens(usage or {}).items():
            if count:
                self._tokens.labels(model, kind).inc(count)

    def _told_apart(self, model: str) -> str:
        if len(self.models) < _MODELS:
            self.models.add(model)
        return model if model in self.models else _OTHER

    # ------------------------------------------------------------ telling

    def hold(self, pool: Numbers) -> None:
        """How the pool of this process is, in the words of psycopg_pool."""
        for word, state in _POOL.items():
            if word in pool:
                self._pool.labels(state).set(pool[word])

    @asynccontextmanager
    async def refreshed(self, pool: Callable[[], Numbers]) -> AsyncGenerator[None]:
        """Meanwhile, what others cannot count for this process is there for them."""

        async def refresh() -> None:
            while True:
                self.hold(pool())
                await asyncio.sleep(_REFRESH_S)

        refreshing = asyncio.create_task(refresh())
        try:
            yield
        finally:
            refreshing.cancel()

    async def text(self, pool: Numbers, facts: Numbers) -> bytes:
        """Everything counted, and what is known of the database: names of `FACTS`."""
        self.hold(pool)
        return await asyncio.to_thread(self._text, facts)

    def _text(self, facts: Numbers) -> bytes:
        counted = MultiProcessCollector(None, self._shared) if self._shared else self._registry
        return generate_latest(counted) + generate_latest(_Known(facts))


class _Known(Collector):
    """Numbers of the whole database, which any process tells alike."""

    def __init__(self, facts: Numbers) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        for name, number in self._facts.items():
            yield GaugeMetricFamily(f"graphnexus_{name}", FACTS[name], number)


class Measured:
    """Times every request to the first byte of its answer, and counts what is open."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", _NO_ROUTE)
                self._metrics.answered(scope["method"], route, message["status"], time.perf_counter() - began)
            await send(message)

        with self._metrics.open(kind):
            await self._app(scope, receive, timed)


def _tokens(usage: Json) -> dict[str, int]:
    given: Json = usage.get("input_tokens_details") or {}
    made: Json = usage.get("output_tokens_details") or {}
    return {
        "input": usage.get("input_tokens") or 0,
        "cached": given.get("cached_tokens") or 0,
        "output": usage.get("output_tokens") or 0,
        "reasoning": made.get("reasoning_tokens") or 0,
    }
