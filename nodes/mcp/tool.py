"""The `mcp` hosted tool: lists the servers a request declares and lets the model call what they offer.

Servers are those a request brings the URL of, and those the operator has configured.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from graph.errors import ConnectorFailed, Json, RequestError
from graph.ports import Function, OpenedItem, Opening, Shown
from graph.state import Entry
from nodes.mcp import declaration
from nodes.mcp.attending import Attendant
from nodes.mcp.configured import Servers
from nodes.mcp.declaration import Declaration
from nodes.mcp.embedded import Embedded
from nodes.mcp.failure import ServerFailed
from nodes.mcp.function import McpFunction, is_listed_tool, is_read_only, model_names
from nodes.mcp.limits import Limits
from nodes.mcp.oauth.grants import Grants, entrances
from nodes.mcp.sampling import Allowed, Sampling
from nodes.mcp.target import Target
from nodes.premises import Premises
from nodes.reach import OutOfReach, Reach, Unresolved

if TYPE_CHECKING:
    from nodes.mcp.session import Sessions

_PRIVATE = (
    "is not on the public internet. The operator's settings `mcp_allow_private` and `mcp_allowed_hosts` let such "
    "servers be used."
)


class Mcp:
    """One object a process: it holds the sessions that are kept open between responses."""

    kind = "mcp"
    types: Sequence[str] = ("mcp",)

    def __init__(
        self, reach: Reach, servers: Servers, embedded: Mapping[str, Embedded], limits: Limits, grants: Grants
    ) -> None:
        """`reach`: what requests may name the URL of; `servers`: the operator's, `grants`: tokens for them;
        `embedded`: those within this process, by connector id."""
        #: When servers may ask the model.
        self.sampling: Allowed = "never"
        self._embedded = embedded
        self._reach = reach
        self._servers = servers
        self._limits = limits
        self._grants = grants
        self._sessions: Sessions | None = None
        self._building = asyncio.Lock()

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `mcp_`."""
        private: bool | None = values["allow_private"]
        names = ("connect_timeout_s", "call_timeout_s", "list_ttl_s")
        limits = Limits(**{name: values[name] for name in names})
        reach = Reach(premises.alone and private is None, bool(private), values["allowed_hosts"])
        grants = Grants(entrances(values["server"]), premises.vault, limits.connect_timeout_s)
        servers = Servers.of(values["server"], grants, premises.embedded)
        made = cls(reach, servers, premises.embedded, limits, grants)
        made.sampling = values["sampling"]
        return made

    def check(self, tool: Json, param: str) -> Json:
        declaration.check(tool, param)
        if tool.get("server_url") is None:
            return self._servers.check(tool, param)
        host = urlsplit(str(tool["server_url"])).hostname or ""
        if self._reach.plainly_excludes(host):
            raise RequestError(f"The host '{host}' {_PRIVATE}", param=f"{param}.server_url", code="invalid_value")
        return declaration.echo(tool)

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        servers = [self._servers.declared(tool, opening.owner) for tool in tools]
        _refuse_twins(servers)
        await asyncio.gather(*(self._refuse_private(server) for server in servers if not server.target.trusted))
        await self._refuse_missing(servers, [opening.param(tool) for tool in tools])
        listings = [_Listing(server, opening, self._embedded.get(server.embedded)) for server in servers]
        await asyncio.gather(*(listing.fill(self._listed) for listing in listings))
        for listing in listings:
            if listing.failure and not listing.server.fallback:
                raise _connector_failed(listing.server, listing.failure)
        return self._functions(listings, opening)

    async def close(self) -> None:
        if self._sessions:
            await self._sessions.close()
        await self._grants.close()

    async def _ready(self) -> "Sessions":
        """`mcp` takes most of a second to import: not before it is needed, and not on the loop."""
        if self._sessions is None:
            async with self._building:
                self._sessions = self._sessions or await asyncio.to_thread(self._begun)
        return self._sessions

    def _begun(self) -> "Sessions":
        from nodes.mcp.session import Sessions

        return Sessions(self._limits, self._reach, sampling=self.sampling != "never")

    async def _refuse_private(self, server: Declaration) -> None:
        url = urlsplit(server.target.url)
        try:
            await self._reach.addresses(url.hostname or "", url.port or 443)
        except OutOfReach:
            message = f"The host '{url.hostname}' of MCP server '{server.label}' {_PRIVATE}"
            raise RequestError(message, param="tools", code="invalid_value") from None
        except Unresolved:
            return  # told when its tools are listed

    async def _refuse_missing(self, servers: Sequence[Declaration], params: Sequence[str]) -> None:
        for server, param in zip(servers, params, strict=True):
            if server.embedded and (problem := await self._embedded[server.embedded].problem()):
                raise RequestError(problem, param=param, code="connector_unavailable")

    async def _listed(self, target: Target) -> list[Json]:
        """Raises `ServerFailed`."""
        return await (await self._ready()).tools(target)

    def _functions(self, listings: Sequence["_Listing"], opening: Opening) -> list[Function]:
        door = _Door(self._ready, Sampling(self.sampling, opening.consult, self._limits))
        makers = {server.embedded: self._embedded[server.embedded].opened(opening) for server in _within(listings)}

        def remote(name: str, tool: Json, server: Declaration) -> Function:
            return McpFunction(name, tool, server, partial(door.ask, server), self._limits)

        offered = [(listing.server, tool) for listing in listings for tool in listing.tools]
        names = model_names([(server.label, tool["name"]) for server, tool in offered], opening.taken)
        return [
            makers.get(server.embedded, remote)(name, tool, server)
            for name, (server, tool) in zip(names, offered, strict=True)
        ]


class _Listing:
    """The tools of one server: those of an `mcp_list_tools` item in context, or else listed now and shown."""

    def __init__(self, server: Declaration, opening: Opening, embedded: Embedded | None) -> None:
        self.server = server
        self._embedded = embedded
        self.tools: list[Json] = []
        self.failure: ServerFailed | None = None
        self._item: OpenedItem | None = None
        # What a caller brings along may say anything of tools: a bound is not checked against that.
        known = _known_tools(server.label, opening.entries) if server.bound.read_only is None else None
        if known is None:
            self._item = opening.show({"type": "mcp_list_tools", "server_label": server.label, "tools": []})
            self._item.phase("in_progress")
        else:
            self.tools = self._allowed(embedded.tools() if embedded else known)

    async def fill(self, listed: Callable[[Target], Awaitable[list[Json]]]) -> None:
        if self._item is None:
            return
        try:
            found = self._embedded.tools() if self._embedded else await listed(self.server.target)
        except ServerFailed as failure:
            self.failure = failure
            self._item.phase("failed")
            self._item.close(tools=[], error=_with_fallback(self.server, self.server.target.redacted(failure.message)))
            return
        self.tools = self._allowed(found)
        self._item.phase("completed")
        self._item.close(tools=self.tools)

    def _allowed(self, tools: list[Json]) -> list[Json]:
        return [tool for tool in tools if self.server.offers(tool["name"], is_read_only(tool))]


def _within(listings: Sequence["_Listing"]) -> Iterator[Declaration]:
    return (listing.server for listing in listings if listing.server.embedded)


def _known_tools(label: str, entries: Sequence[Entry]) -> list[Json] | None:
    """Of the newest listing in context that succeeded."""
    for entry in reversed(entries):
        item = entry["item"]
        if (
            item["type"] != "mcp_list_tools"
            or item.get("server_label") != label
            or item.get("error")
            or entry.get("cut")
        ):
            continue
        tools = item.get("tools")
        if isinstance(tools, list) and all(map(is_listed_tool, cast(list[Any], tools))):
            return cast(list[Json], tools)
    return None


def _refuse_twins(servers: Sequence[Declaration]) -> None:
    labels = [server.label for server in servers]
    for label in labels:
        if labels.count(label) > 1:
            message = f"Duplicate 'server_label': '{label}'. Labels must be unique in a request."
            raise RequestError(message, param="tools", code="invalid_value")


def _connector_failed(server: Declaration, failure: ServerFailed) -> ConnectorFailed:
    message = (
        f"Error retrieving tool list from MCP server: '{server.label}'. Http status code: 424 (Failed Dependency). "
        + server.target.redacted(failure.message)
    )
    return ConnectorFailed(message, param="tools")


class _Door:
    """The way of a run's functions to their servers."""

    def __init__(self, sessions: "Callable[[], Awaitable[Sessions]]", sampling: Sampling) -> None:
        self._sessions = sessions
        self._sampling = sampling

    async def ask(self, server: Declaration, name: str, arguments: Json, shown: Shown) -> Json:
        attendant = Attendant(shown.values, self._sampling.of(shown))
        try:
            return await (await self._sessions()).call(server.target, name, arguments, attendant)
        except ServerFailed as failure:
            message = _with_fallback(server, failure.message)
            raise ServerFailed(message, {**failure.error, "message": message}) from None


def _with_fallback(server: Declaration, failure: str) -> str:
    return f"{failure} {server.fallback}" if server.fallback else failure
