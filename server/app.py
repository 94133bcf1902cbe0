"""The HTTP application: what is asked where, on a house that is opened once."""

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from server import (
    approvals,
    containers,
    conversations,
    files,
    gateway,
    operations,
    recordings,
    responses,
    skills,
    uploads,
    vector_files,
    vector_stores,
    websocket,
)
from server.http import RequestId, handle_failures
from server.metrics import Measured, Metrics
from server.openapi import written_out
from server.opening import open_house
from server.settings import Settings, shared_metrics


def create_app(settings: Settings) -> FastAPI:
    """The HTTP application; store, models and tools are opened when it starts and closed when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with open_house(settings, metrics) as house:
            # What is alive now stays; collecting it over and over costs pauses of tens of milliseconds. Even once costs
            # a fifth of a second, for the few thousand objects that imports have left.
            gc.freeze()
            gc.set_threshold(50_000, 20, 20)
            yield {"house": house}

    metrics = Metrics(shared_metrics())
    app = FastAPI(title="GraphNexus", lifespan=lifespan, docs_url=None, redoc_url=None)
    handle_failures(app)
    app.add_middleware(RequestId)
    app.add_middleware(Measured, metrics=metrics)
    if settings.allowed_origins:
        every, pages = ["*"], settings.allowed_origins
        app.add_middleware(CORSMiddleware, allow_origins=pages, allow_methods=every, allow_headers=every)
    for module in (
        websocket, responses, recordings, conversations, containers, files, uploads, skills, approvals, gateway,
        operations, vector_stores, vector_files,
    ):  # fmt: skip
        app.include_router(module.router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """The OpenAPI document, with the bodies that are parsed by hand."""
    plain = app.openapi

    @cache
    def described() -> dict[str, Any]:
        return written_out(plain())

    app.openapi = described
