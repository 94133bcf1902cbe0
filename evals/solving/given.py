"""What a case gives its model: files, vector stores, servers."""

from dataclasses import dataclass, field
from typing import Any

from evals.solving.mcp_servers import McpServers
from evals.solving.shelf import Shelf
from evals.suite.schema import Case

Json = dict[str, Any]


@dataclass(slots=True)
class Given:
    #: Content parts for the first user message.
    parts: list[Json] = field(default_factory=list[Json])
    #: MCP servers, beside the tools the case declares.
    servers: list[Json] = field(default_factory=list[Json])
    #: Files of the code interpreter's container.
    container: list[str] = field(default_factory=list[str])
    #: A vector store that is searched.
    store: str | None = None
    #: Whether a grader looks at what only a recording tells.
    wants_recording: bool = False

    def with_tools(self, declared: list[Json]) -> list[Json]:
        """The tools a request declares, with what is given for them; and those that only what is given asks for."""
        tools = [*declared, *self.servers]
        if self.container:
            tools = _with(tools, "code_interpreter", {"container": {"type": "auto", "file_ids": self.container}})
        if self.store:
            tools = _with(tools, "file_search", {"vector_store_ids": [self.store]})
        return tools


def _with(tools: list[Json], kind: str, fields: Json) -> list[Json]:
    if not any(tool.get("type") == kind for tool in tools):
        return [*tools, {"type": kind, **fields}]
    return [{**tool, **fields} if tool.get("type") == kind else tool for tool in tools]


class Supplies:
    """Makes what cases need on one server."""

    def __init__(self, shelf: Shelf, servers: McpServers) -> None:
        self._shelf = shelf
        self._servers = servers

    async def given(self, case: Case) -> Given:
        """Raises `Unfit`, and `APIError` when the server does not take a file."""
        graders = [*case.graders, *(grader for turn in case.turns for grader in turn.graders)]
        given = Given(wants_recording=any(grader.wants_recording for grader in graders))
        given.servers = [await self._servers.tool(server) for server in case.mcp_servers]
        searched: list[str] = []
        for upload in case.files:
            id = await self._shelf.file(upload)
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
            given.store = await self._shelf.store(case.id, searched)
        return given


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
