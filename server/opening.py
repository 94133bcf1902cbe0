"""The house is opened here: store, models, tools, runner and engine are built once, and closed in reverse."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from checkpoints import STORES, Store
from checkpoints.engine import Capacity, DurableEngine
from checkpoints.files import Files
from checkpoints.skills import Skills as SkillRows
from checkpoints.storage import Storage
from checkpoints.uploads import Uploads
from graph.background import Background
from graph.policy import Rule
from graph.ports import HostedTool
from graph.runner import Limits, Runner
from nodes import HOSTED_TOOLS
from nodes.browser.face import CONNECTOR, Face
from nodes.browser.port import Browsers
from nodes.documents.parser import Documents
from nodes.mcp.oauth.credential import Vault
from nodes.premises import Premises
from nodes.skills.skills import Skills
from nodes.upstreams.discovery import discover
from nodes.upstreams.registry import Registry
from nodes.upstreams.upstream import Patience, Upstream
from nodes.webhooks import Endpoint, Webhooks
from server import __version__, pruning
from server.archive import StoredArchive
from server.attachments import attachments_of, documents_of
from server.auth import Gate
from server.browsing import browsing
from server.containing import Containing, containing
from server.health import Health
from server.house import House
from server.keeper import Keeper, Pulse
from server.long_files import LongFiles
from server.metrics import Metrics, Numbers
from server.operations import Operations
from server.searching import Searching, searching
from server.secret import seal_of
from server.settings import Settings, shared_metrics


@asynccontextmanager
async def open_house(settings: Settings, metrics: Metrics | None = None) -> AsyncGenerator[House]:
    """Open everything; on the way out let the runs end, or leave them to others, then close it in reverse."""
    metrics = metrics or Metrics(shared_metrics())
    async with _store(settings) as store:
        works = await _works(settings, store, metrics)
        tidying = _tidying(settings, store, works)
        async with works.keeping(), metrics.refreshed(store.pool), _beside(tidying):
            try:
                yield _house(settings, store, metrics, works)
            finally:
                await works.runner.close(settings.shutdown_grace_s)
                await _close(*works.tools, works.browser.browsers, works.models)


class _Works(NamedTuple):
    """What runs in the house."""

    kept: "_Kept"
    models: Registry
    inside: Containing
    found: Searching
    browser: Face
    documents: Documents
    tools: list[HostedTool]
    runner: Runner
    background: Background
    engine: DurableEngine
    keeper: Keeper

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        try:
            async with self.keeper.keeping(), self.inside.keeping(), self.found.keeping():
                yield
        finally:
            await self.documents.close()


async def _works(settings: Settings, store: Store, metrics: Metrics) -> _Works:
    models, kept, documents = _models(settings), await _kept(settings, store), documents_of(settings)
    models.warm()
    inside = containing(settings, store, kept.storage, kept.files, kept.skills)
    found = searching(settings, store, kept.files, documents, models)
    browser = browsing(settings, kept.files, inside.containers)
    alone = await _alone(settings, store)
    vault = Vault(store.credentials, seal_of(settings))
    here = (inside.containers, found.search, found.stores, browser, {CONNECTOR: browser}, documents)
    tools = _tools(settings, Premises(alone, vault, *here, settings.directory))
    runner = Runner(StoredArchive(store, metrics.kept), models, tools, seal_of(settings), _limits(settings))
    runner.meter, runner.attachments = (
        metrics,
        attachments_of(settings, kept.files, documents, LongFiles(found.stores, found.files), alone),
    )
    background, engine = Background(runner), _engine(settings, store)
    keeper = Keeper(store, runner, background, engine, _webhooks(settings), _pulse(settings))
    return _Works(kept, models, inside, found, browser, documents, tools, runner, background, engine, keeper)


def _house(settings: Settings, store: Store, metrics: Metrics, works: _Works) -> House:
    gate = Gate.of(settings, store.keys)
    return House(
        store=store,
        runner=works.runner,
        background=works.background,
        engine=works.engine,
        keeper=works.keeper,
        models=works.models,
        tools=works.tools,
        containers=works.inside.containers,
        shelf=works.inside.shelf,
        searching=works.found,
        gate=gate,
        files=works.kept.files,
        uploads=works.kept.uploads,
        skills=works.kept.skills,
        strict=settings.strict,
        max_body_bytes=settings.max_body_bytes,
        operations=_operations(settings, store, works.engine, metrics, gate),
        resumable_streams=settings.resumable_streams,
        websocket_minutes=settings.websocket_minutes,
    )


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Do endless work meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _store(settings: Settings) -> AbstractAsyncContextManager[Store]:
    options = {"cache_bytes": settings.cache_bytes, "pool": settings.database_pool, "version": __version__}
    return STORES[settings.database.kind](settings.database.place, **options)


def _models(settings: Settings) -> Registry:
    upstreams = [
        Upstream(server.url, server.key.get_secret_value() if server.key else None, server.name, server.models)
        for server in settings.model_servers()
    ]
    patience = Patience(connect_s=settings.upstream_connect_timeout_s, stall_s=settings.upstream_stall_timeout_s)
    search = partial(discover, settings.port) if settings.discover and not upstreams else None
    return Registry(upstreams, discover=search, patience=patience)


async def _close(*opened: HostedTool | Browsers | Registry) -> None:
    for one in opened:
        await one.close()


def _tidying(settings: Settings, store: Store, works: _Works) -> Coroutine[Any, Any, None]:
    kept = works.kept
    expiring = (kept.files.expire, kept.uploads.expire, kept.skills.rows.expire)
    also = (works.inside.shelf.tidy, *expiring, works.found.tidy, kept.storage.sweep)
    return pruning.run(store.retention, pruning.ages_of(settings), *also)


class _Kept(NamedTuple):
    """What keeps bytes beside its rows."""

    storage: Storage
    files: Files
    uploads: Uploads
    skills: Skills[SkillRows]


async def _kept(settings: Settings, store: Store) -> _Kept:
    storage = Storage.at(settings.storage)
    await storage.sweep()
    files = Files(store.database, storage, settings.file_max_bytes, settings.file_quota_bytes)
    uploads = Uploads(store.database, storage, files, settings.upload_max_bytes)
    return _Kept(storage, files, uploads, Skills(SkillRows(store.database, storage)))


async def _alone(settings: Settings, store: Store) -> bool:
    """Whether only this machine can reach the server, and without a key."""
    return settings.loopback and not settings.api_keys and not await store.keys.list()


def _tools(settings: Settings, premises: Premises) -> list[HostedTool]:
    return [build(settings.of(kind), premises) for kind, build in HOSTED_TOOLS.items()]


def _pulse(settings: Settings) -> Pulse:
    return Pulse(settings.lease_s, alone=settings.database.kind == "sqlite")


def _limits(settings: Settings) -> Limits:
    rules = [
        Rule(rule.policy, rule.tool, rule.server, rule.name, rule.owner, rule.arguments) for rule in settings.approval
    ]
    names, untrusted = settings.reasoning_event_names, settings.untrusted_text
    return Limits(settings.max_model_turns, settings.hold_created_s, names, rules, untrusted)


def _webhooks(settings: Settings) -> Webhooks:
    return Webhooks(
        [Endpoint(hook.url, hook.signing_secret.get_secret_value(), hook.events) for hook in settings.webhook]
    )


def _engine(settings: Settings, store: Store) -> DurableEngine:
    """Its queues are in a file of their own, or beside the rows of the shared database."""
    capacity = Capacity(settings.background_runs, settings.background_runs_per_owner, bool(settings.webhook))
    database = settings.database
    url = f"sqlite:///{database.path.with_name('engine.db')}" if database.path else database.url.get_secret_value()
    return DurableEngine(url, store.workers.id, capacity)


def _operations(settings: Settings, store: Store, engine: DurableEngine, metrics: Metrics, gate: Gate) -> Operations:
    async def queue() -> Numbers:
        depth = await engine.depth()
        return {"queue_depth": depth.queued, "queue_oldest_seconds": depth.oldest_s}

    key = settings.metrics_key.get_secret_value() if settings.metrics_key else None
    return Operations(metrics, Health(store.facts.clock), gate, key, queue, store.pool)
