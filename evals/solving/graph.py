"""A compiled LangGraph graph of this process as the target of a run."""

import asyncio
import base64
import importlib
import importlib.util
import inspect
import mimetypes
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from evals.solving.shelf import content
from evals.solving.thread import Thread
from evals.suite.schema import Case, Upload
from evals.transcript import Transcript
from evals.unfit import Unfit

Json = dict[str, Any]
Graph = Pregel[Any, Any, Any, Any]


class GraphTarget:
    def __init__(self, graph: Graph, shown: str, model: str | None, directory: Path) -> None:
        self._graph = graph
        self._directory = directory
        self.shown = shown
        self.model = model

    @classmethod
    @asynccontextmanager
    async def opened(cls, named: str, model: str | None, directory: str) -> AsyncGenerator[Self]:
        """`named`: `module:graph`, or `file.py:graph` beside the suite. Raises `Unfit`."""
        async with AsyncExitStack() as stack:
            graph = await _built(_named(named, Path(directory)), stack)
            if not isinstance(graph, Pregel):
                raise Unfit(f"{named} is {type(graph).__name__}: a target is a compiled graph, or a function of one.")
            if "messages" not in graph.channels:
                raise Unfit(f"The graph {named} has no channel 'messages': a case is told as messages.")
            yield cls(graph, named, model, Path(directory))

    async def attempt(self, case: Case, run: str, epoch: int) -> Transcript:
        """Nothing of a graph outlives its process: `run` joins nothing."""
        transcript = Transcript(case=case.id, epoch=epoch)
        try:
            _check(case)
            parts = [self._part(upload) for upload in case.files]
            async with asyncio.timeout(case.timeout_s):
                await Thread(self._graph, case, self.model).hold(transcript, parts)
        except TimeoutError:
            transcript.fault = f"The case took longer than {case.timeout_s:g} s."
        except Unfit as problem:
            transcript.fault = str(problem)
        return transcript

    def _part(self, upload: Upload) -> Json:
        name, data = content(upload, self._directory)
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        if kind.startswith("text/"):
            return {"type": "input_text", "text": data.decode(errors="replace")}
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        if upload.use == "image":
            return {"type": "input_image", "image_url": url}
        return {"type": "input_file", "filename": name, "file_data": url}


def _check(case: Case) -> None:
    """Raises `Unfit` for what only a server can do."""
    wrong = {
        "a recording": case.recording is not None,
        "mcp_servers": bool(case.mcp_servers),
        "files for a container or a vector store": any(one.use in ("container", "vector_store") for one in case.files),
    }
    if found := [name for name, there in wrong.items() if there]:
        raise Unfit(f"A graph brings its own tools and cannot use {' or '.join(found)}: name a server as the target.")


# ---------------------------------------------------------------- finding the graph


def _named(named: str, directory: Path) -> Any:
    where, _, name = named.rpartition(":")
    if not where or not name:
        raise Unfit(f"{named!r} names no graph: write module:graph, as in my_agent.graph:graph.")
    try:
        module = _file(directory / where) if where.endswith(".py") else _module(where)
    except Exception as error:  # whatever a module does when it is imported
        raise Unfit(f"{where} cannot be imported: {type(error).__name__}: {error}.") from error
    if not hasattr(module, name):
        raise Unfit(f"{where} has no {name!r}.")
    return getattr(module, name)


def _module(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    return importlib.import_module(name)


def _file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"evaluated_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


async def _built(found: Any, stack: AsyncExitStack) -> Any:
    """A graph as it is, compiled, or made by a function; as `langgraph.json` may name them."""
    if callable(found) and not isinstance(found, Pregel | StateGraph):
        found = found({}) if inspect.signature(found).parameters else found()
    if hasattr(found, "__aenter__"):
        found = await stack.enter_async_context(found)
    elif hasattr(found, "__enter__"):
        found = stack.enter_context(found)
    if inspect.isawaitable(found):
        found = await found
    return found.compile() if isinstance(found, StateGraph) else found
