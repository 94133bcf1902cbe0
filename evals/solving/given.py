"""What a case gives its model: files, vector stores, servers; made before it is asked, removed afterwards."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import APIError, AsyncOpenAI
from openai.types.file_create_params import ExpiresAfter
from openai.types.vector_store_create_params import ExpiresAfter as StoreExpiresAfter

from evals.solving.mcp_servers import McpServers
from evals.suite.schema import Case, Upload
from evals.unfit import Unfit

Json = dict[str, Any]

_INDEX_S, _LOOK_S, _GONE_S = 300, 0.1, 10
#: When the server itself removes what a killed run has left.
_FILE_LEFT: ExpiresAfter = {"anchor": "created_at", "seconds": 86_400}
_STORE_LEFT: StoreExpiresAfter = {"anchor": "last_active_at", "days": 1}


@dataclass(slots=True)
class Given:
    #: Content parts for the first user message.
    parts: list[Json] = field(default_factory=list[Json])
    #: Tools beside those the case declares.
    tools: list[Json] = field(default_factory=list[Json])
    #: Files of the code interpreter's container.
    container: list[str] = field(default_factory=list[str])
    #: Whether a grader looks at what only a recording tells.
    wants_recording: bool = False

    def with_files(self, tools: list[Json]) -> list[Json]:
        """The tools with the container's files in the one that has a container."""
        if not self.container:
            return tools
        container = {"type": "auto", "file_ids": self.container}
        found = [{**tool, "container": container} if tool["type"] == "code_interpreter" else tool for tool in tools]
        if not any(tool["type"] == "code_interpreter" for tool in tools):
            found.append({"type": "code_interpreter", "container": container})
        return found


class Supplies:
    """Makes what cases need on one server."""

    def __init__(self, client: AsyncOpenAI, directory: str, servers: McpServers) -> None:
        self._client = client
        self._directory = Path(directory)
        self._servers = servers

    @asynccontextmanager
    async def given(self, case: Case) -> AsyncGenerator[Given]:
        """Raises `Unfit`, and `APIError` when the server does not take a file."""
        graders = [*case.graders, *(grader for turn in case.turns for grader in turn.graders)]
        given = Given(wants_recording=any(getattr(grader, "wants_recording", False) for grader in graders))
        given.tools = [await self._servers.tool(server) for server in case.mcp_servers]
        async with AsyncExitStack() as stack:
            searched: list[str] = []
            for upload in case.files:
                id = await self._uploaded(upload, stack)
                match upload.use:
                    case "input":
                        given.parts.append({"type": "input_file", "file_id": id})
                    case "image":
                        given.parts.append({"type": "input_image", "file_id": id})
                    case "container":
                        given.container.append(id)
                    case "vector_store":
                        searched.append(id)
            if searched:
                store = await self._indexed(case.id, searched, stack)
                given.tools.append({"type": "file_search", "vector_store_ids": [store]})
            yield given

    async def _uploaded(self, upload: Upload, stack: AsyncExitStack) -> str:
        purpose = "vision" if upload.use == "image" else "user_data"
        file = content(upload, self._directory)
        made = await self._client.files.create(file=file, purpose=purpose, expires_after=_FILE_LEFT)
        stack.push_async_callback(gone, self._client, f"/files/{made.id}")
        return made.id

    async def _indexed(self, name: str, files: list[str], stack: AsyncExitStack) -> str:
        store = await self._client.vector_stores.create(
            name=f"eval {name}"[:100], file_ids=files, expires_after=_STORE_LEFT
        )
        stack.push_async_callback(gone, self._client, f"/vector_stores/{store.id}")
        async with asyncio.timeout(_INDEX_S):
            while store.status == "in_progress":
                await asyncio.sleep(_LOOK_S)
                store = await self._client.vector_stores.retrieve(store.id)
        if store.file_counts.completed < len(files):
            raise Unfit(f"Not all files of the case {name!r} could be made searchable: {store.file_counts}.")
        return store.id


async def gone(client: AsyncOpenAI, path: str) -> None:
    """Remove something; soon, or not at all: whoever waits for that has waited enough."""
    try:
        await client.with_options(timeout=_GONE_S, max_retries=0).delete(path, cast_to=object)
    except APIError:
        return  # removed with what it was in, or with the server


def content(upload: Upload, directory: Path) -> tuple[str, bytes]:
    """Name and bytes of a file. Raises `Unfit`."""
    if upload.content is not None:
        return upload.name or "file.txt", upload.content.encode()
    path = directory / (upload.path or "")
    try:
        return upload.name or path.name, path.read_bytes()
    except OSError as error:
        raise Unfit(f"The file {path} of the suite cannot be read: {error.strerror}.") from error


def with_parts(given: str | list[Json], parts: list[Json]) -> list[Json]:
    """Input items, with the files of the case in the first user message."""
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else [*given]
    if not parts:
        return items
    for at, item in enumerate(items):
        if item.get("role") == "user":
            said = item["content"]
            before = [{"type": "input_text", "text": said}] if isinstance(said, str) else said
            items[at] = {**item, "content": [*parts, *before]}
            return items
    return [{"role": "user", "content": parts}, *items]
