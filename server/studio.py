"""LangGraph Studio: the same graph and the same store behind `langgraph dev`, to look into runs and to fork them.

`langgraph.json` names `graph`, `checkpointer` and `app`; the dev server imports this module once for all three. Only it
does: nothing else imports this module, and this module nothing of the dev server, which has a licence of its own.
"""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import StateSnapshot
from langgraph_sdk import get_client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import TypedDict

from graph.ask import Ask
from graph.errors import Failure, Json, RequestError
from graph.machine import build
from graph.resume import catch_up, node_before, renewed
from graph.run import Run
from graph.state import Record, State
from nodes import HOSTED_TOOLS
from server.app import create_app
from server.asking import ask_of
from server.auth import LOCAL
from server.house import House
from server.occupied import occupied
from server.opening import open_house
from server.settings import Settings, load

NAME = "graphnexus"
#: The newest conversations made over HTTP that Studio lists.
LISTED = 500
#: Request fields that say where a response is kept and how it is read; in Studio its thread and its buttons do.
_OF_HTTP = ("store", "stream", "background", "conversation", "previous_response_id")


class Context(TypedDict, total=False):
    """What can be chosen for every run of an assistant; any request field can be given in `request`, too."""

    model: str
    instructions: str
    tools: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Begun:
    """What the graph is run with."""

    input: Any
    config: RunnableConfig
    run: Run | None


class ResponseFailed(RuntimeError):
    """A failure fit for the caller's eyes; of other kinds of errors the dev server shows no message."""


class Studio:
    """One open house for the graph, its checkpointer and the HTTP application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._house: House | None = None
        self._listed: set[str] = set()

    @property
    def house(self) -> House:
        if self._house is None:
            raise RuntimeError("Studio is not open.")
        return self._house

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
        """Open everything; the dev server does it as it opens its checkpointer, before anything is asked."""
        with occupied(self.settings.database):
            async with open_house(self.settings) as self._house:
                yield self.house.store.saver

    async def list_threads(self) -> None:
        """Let Studio know of conversations made over HTTP, in this process or another."""
        found = [id for id in await self.house.store.saver.athreads(LISTED) if id not in self._listed and _is_uuid(id)]
        if found:
            client = get_client()
            for id in reversed(found):
                await client.threads.create(thread_id=id, if_exists="do_nothing", metadata={"graph_id": NAME})
            self._listed |= set(found)

    async def ask(self, given: Json, context: Json, values: Json) -> Ask:
        """What a run is asked to do on a thread with these `values`. Raises `RequestError`."""
        before: Json = values.get("request") or {}
        model = before.get("model") or (await self.house.models.listed())[0]["id"]
        chosen = {key: value for key, value in context.items() if value}
        body: Json = {"model": model, **(given.get("request") or {}), **chosen, "input": given.get("input")}
        record: Record | None = values.get("response")
        ask = await ask_of(body, record["owner"] if record else LOCAL, self.house)
        goes_on = record is not None and record["status"] in ("completed", "incomplete")
        return replace(ask, previous_response_id=record["id"] if record and goes_on else None)


class Observed(CompiledStateGraph[Any, Any, Any, Any]):
    """The state machine, opening for every run what the server's runner opens for a request."""

    def __init__(self, *, studio: Studio, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.studio = studio

    async def astream(  # pyright: ignore[reportIncompatibleMethodOverride]  # the rest of its options go through
        self, input: Any, config: RunnableConfig | None = None, *, context: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        try:
            async with _begin(self, input, config or {}, context or {}) as begun:
                parts = super().astream(begun.input, begun.config, context=begun.run, **options)
                async with aclosing(cast(AsyncGenerator[Any], parts)):
                    async for part in parts:
                        yield part
        except Failure as failure:
            raise ResponseFailed(failure.message) from failure


# ---------------------------------------------------------------- a run


@asynccontextmanager
async def _begin(graph: Observed, input: Any, config: RunnableConfig, context: Json) -> AsyncGenerator[Begun]:
    """Open what the run needs. When it fails, so does its response."""
    config = _without(config, context)
    stored = isinstance(graph.checkpointer, BaseCheckpointSaver)
    state = await graph.aget_state(config) if stored else None
    given = _given(input, state)
    if given is not None:
        ask = await graph.studio.ask(given, context, state.values if state else {})
        async with _run(graph.studio, replace(ask, stored=stored)) as run:
            yield Begun({"input": ask.input, "request": ask.request}, _of(config, run), run)
    elif state is None or not state.next:
        yield Begun(input, config, None)
    else:
        async with _again(graph, state, config, context) as begun:
            yield replace(begun, input=input)


def _given(input: Any, state: StateSnapshot | None) -> Json | None:
    """What `load` has to take in; None when the run goes on behind it."""
    if isinstance(input, dict):
        given = cast(Json, input)
        for name in _OF_HTTP:
            if name in (given.get("request") or {}):
                raise RequestError(f"'{name}' has no meaning in Studio: its thread is the conversation.", param=name)
        return given
    if input is None and state and "load" in state.next:
        return {"input": state.values.get("input"), "request": _asked(state.values)}
    return None


def _asked(values: Json) -> Json:
    return {name: value for name, value in values["request"].items() if name not in _OF_HTTP}


@asynccontextmanager
async def _run(studio: Studio, ask: Ask, response_id: str | None = None) -> AsyncGenerator[Run]:
    runner = studio.house.runner
    run = await runner.open_loose(ask, response_id)
    run.emitter.log.release()
    try:
        yield run
    except BaseException as error:
        stopped = Failure("The run was stopped before its end.")
        await runner.fail_loose(ask, run, error if isinstance(error, Failure) else stopped)
        raise


def _without(config: RunnableConfig, context: Json) -> RunnableConfig:
    """The dev server copies the context there; the store would keep it, secrets of tools included."""
    configurable = {name: value for name, value in config.get("configurable", {}).items() if name not in context}
    # Turns of the model are what bounds a run.
    return {**config, "configurable": configurable, "recursion_limit": 10_000}


def _of(config: RunnableConfig, run: Run) -> RunnableConfig:
    """By its id the store knows whose checkpoints they are."""
    return {**config, "configurable": {**config.get("configurable", {}), "response_id": run.response_id}}


# ---------------------------------------------------------------- a run that goes on in the middle


@asynccontextmanager
async def _again(graph: Observed, saved: StateSnapshot, config: RunnableConfig, context: Json) -> AsyncGenerator[Begun]:
    """Go on behind `load`: under its id where the run stopped, as a new response where it was already past that."""
    state = cast(State, saved.values)
    record = state["response"]
    stored = await graph.studio.house.store.responses.find(record["owner"], record["id"])
    here = saved.config.get("configurable", {}).get("checkpoint_id")
    same = stored is not None and stored.checkpoint_id == here and record["status"] == "in_progress"
    ask = await graph.studio.ask({"input": [], "request": _asked(saved.values)}, context, saved.values)
    ask = replace(ask, previous_response_id=record["previous_response_id"])
    async with _run(graph.studio, ask, record["id"] if same else None) as run:
        config = _of(config, run)
        if not same:
            change = renewed(run, state, ask.request)
            fork = await graph.aupdate_state(_of(saved.config, run), change, node_before(saved.next[0], state))
            config["configurable"] = {**config.get("configurable", {}), **fork.get("configurable", {})}
        await catch_up(run, state)
        yield Begun(None, config, run)


# ---------------------------------------------------------------- what langgraph.json names


def observed(studio: Studio) -> Observed:
    """The graph as Studio shows it: its context is what can be chosen, not what a run needs."""
    machine = build([*HOSTED_TOOLS]).compile(name=NAME)
    attributes: Json = {**vars(machine), "context_schema": Context}
    return Observed(studio=studio, **attributes)


class _Api:
    """Our HTTP application inside the dev server's, on the house that is open."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._app = create_app(studio.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"house": self._studio.house}}, receive, send)


class _Listing:
    """Before threads are looked at, those made over HTTP are made known."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self._app = app
        self._studio = studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/threads/"):
            await self._studio.list_threads()
        await self._app(scope, receive, send)


def application(studio: Studio) -> Starlette:
    """Our API beside the dev server's, each with its own errors."""
    api = _Api(studio)
    routes = [Route(path, api, include_in_schema=False) for path in ("/v1/{path:path}", "/health")]
    return Starlette(routes=routes, middleware=[Middleware(_Listing, studio=studio)])


def _is_uuid(id: str) -> bool:
    try:
        return bool(uuid.UUID(id))
    except ValueError:
        return False


_studio = Studio(load({}))
graph = observed(_studio)
checkpointer = _studio.open
app = application(_studio)
