"""The application: everything is built here, once, and handed to those who need it."""

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from checkpoints import STORES, Store
from graph.ports import HostedTool
from graph.runner import Limits, Runner
from graph.seal import Seal
from nodes import HOSTED_TOOLS
from nodes.upstreams.discovery import discover
from nodes.upstreams.registry import Registry
from nodes.upstreams.upstream import Patience, Upstream
from server import conversations, gateway, responses, websocket
from server.archive import StoredArchive
from server.auth import Gate
from server.house import House
from server.http import RequestId, handle_failures, json_response
from server.openapi import definitions
from server.secret import sealing_key
from server.settings import Settings
from server.wire.request import AddItems, CreateConversation, CreateResponse


def create_app(settings: Settings) -> FastAPI:
    """The HTTP application; store, models and tools are opened when it starts and closed when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with open_house(settings) as house:
            # What is alive now stays; collecting it over and over costs pauses of tens of milliseconds.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 20)
            yield {"house": house}

    app = FastAPI(title="GraphNexus", lifespan=lifespan, docs_url=None, redoc_url=None)
    handle_failures(app)
    app.add_middleware(RequestId)
    if settings.allowed_origins:
        every, pages = ["*"], settings.allowed_origins
        app.add_middleware(CORSMiddleware, allow_origins=pages, allow_methods=every, allow_headers=every)
    for module in (websocket, responses, conversations, gateway):
        app.include_router(module.router)
    app.add_api_route("/health", health, methods=["GET"], include_in_schema=False)
    _describe(app)
    return app


async def health(request: Request) -> Response:
    """Ready: store open, requests served."""
    return json_response({"status": "ok"})


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncGenerator[House]:
    """Open everything; on the way out let the runs end, then close it in reverse."""
    path = settings.directory / "graphnexus.db"
    async with STORES["sqlite"](path, cache_bytes=settings.cache_bytes) as store:
        await store.workers.beat()
        await store.workers.sweep(0)
        models = _models(settings)
        models.warm()
        tools = await _tools(settings, store)
        secret = settings.secret_key.get_secret_value() if settings.secret_key else None
        seal = Seal(sealing_key(secret, settings.directory))
        limits = Limits(settings.max_model_turns, settings.hold_created_s, settings.reasoning_event_names)
        runner = Runner(StoredArchive(store), models, tools, seal, limits)
        gate = Gate.of(settings, store.keys)
        try:
            yield House(
                store, runner, models, tools, gate, settings.strict, settings.max_body_bytes,
                websocket_minutes=settings.websocket_minutes,
            )  # fmt: skip
        finally:
            await runner.close(settings.shutdown_grace_s)
            for opened in (*tools, models):
                await opened.close()


def _models(settings: Settings) -> Registry:
    upstreams = [
        Upstream(server.url, server.key.get_secret_value() if server.key else None, server.name, server.models)
        for server in settings.model_servers()
    ]
    patience = Patience(connect_s=settings.upstream_connect_timeout_s, stall_s=settings.upstream_stall_timeout_s)
    search = partial(discover, settings.port) if settings.discover and not upstreams else None
    return Registry(upstreams, discover=search, patience=patience)


async def _tools(settings: Settings, store: Store) -> list[HostedTool]:
    alone = settings.loopback and not settings.api_keys and not await store.keys.list()
    return [build(settings.of(kind), alone) for kind, build in HOSTED_TOOLS.items()]


def _describe(app: FastAPI) -> None:
    """The OpenAPI document, with the bodies that are parsed by hand."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions(CreateResponse, CreateConversation, AddItems))
        return document

    app.openapi = described
