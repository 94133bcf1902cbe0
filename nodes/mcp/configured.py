"""MCP servers of the operator's, which requests name by a label or a connector id.

Callers do not learn where such a server is, nor what it is shown.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, cast

from graph.errors import Json, RequestError
from nodes.mcp import declaration
from nodes.mcp.declaration import Declaration, Filter, filter_of
from nodes.mcp.oauth.grants import Grant, Grants
from nodes.mcp.target import Program, Target, Transport

_TRANSPORTS: Mapping[str | None, Transport] = {"streamable_http": "http", "sse": "sse", None: "auto"}


_OURS = "a server of this process is shown nothing"


class Table(Protocol):
    """One `[[mcp_server]]` of the settings, checked; all its attributes are explained there."""

    @property
    def label(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def transport(self) -> str | None: ...
    @property
    def url(self) -> str | None: ...
    @property
    def command(self) -> str | None: ...
    @property
    def args(self) -> tuple[str, ...]: ...
    @property
    def cwd(self) -> str | None: ...
    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def connector_id(self) -> tuple[str, ...]: ...
    @property
    def description(self) -> str | None: ...
    @property
    def require_approval(self) -> Any: ...
    @property
    def allowed_tools(self) -> Any: ...
    @property
    def fallback_message(self) -> str | None: ...
    @property
    def owners(self) -> tuple[str, ...]: ...
    @property
    def shared(self) -> bool: ...
    @property
    def untrusted(self) -> bool: ...

    @property
    def token(self) -> str | None: ...

    @property
    def environment(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Configured:
    """A server of the operator's, ready to be used."""

    label: str
    #: Without an owner.
    target: Target
    connectors: frozenset[str] = frozenset()
    description: str | None = None
    require_approval: str | Json = "always"
    allowed: Filter = field(default_factory=Filter)
    fallback: str | None = None
    owners: frozenset[str] = frozenset()
    shared: bool = False
    untrusted: bool = False

    @classmethod
    def of(cls, table: Table, grant: Grant | None = None) -> Self:
        """`grant`: of a server that is entered by OAuth."""
        bound = table.allowed_tools.model_dump(exclude_none=True) if table.allowed_tools else None
        wish = table.require_approval
        return cls(
            table.label,
            _target(table, grant),
            frozenset(table.connector_id),
            table.description,
            wish if isinstance(wish, str) else cast(Json, wish.model_dump(mode="json", exclude_none=True)),
            filter_of(bound),
            table.fallback_message,
            frozenset(table.owners),
            table.shared,
            table.untrusted,
        )

    @property
    def takes_authorization(self) -> bool:
        """Whether callers show it credentials of their own: the operator has none for it."""
        shown = {name.lower() for name, _ in self.target.headers}
        return not (self.target.program or self.target.grant or "authorization" in shown)

    def is_for(self, owner: str) -> bool:
        return not self.owners or owner in self.owners

    def target_for(self, owner: str, token: str | None) -> Target:
        """Sessions are an owner's own: what a server remembers in one, or asks over it, is his alone."""
        headers = self.target.headers
        if token:
            headers = (*headers, ("Authorization", f"Bearer {token}"))
        return replace(self.target, headers=headers, owner="" if self.shared and not token else owner)

    def completed(self, tool: Json) -> Json:
        """A declaration with what the operator says where the caller says nothing."""
        said = {"require_approval": self.require_approval, "server_description": self.description}
        return {**tool, **{name: value for name, value in said.items() if tool.get(name) is None}}


class Servers:
    """All of them, and the connector ids of those within this process."""

    def __init__(self, configured: Sequence[Configured] = (), embedded: Collection[str] = ()) -> None:
        self.all = tuple(configured)
        self._embedded = embedded
        self._by_label = {server.label: server for server in configured}
        self._by_connector = {name: server for server in configured for name in server.connectors}

    @classmethod
    def of(cls, tables: Sequence[Table], grants: Grants | None = None, embedded: Collection[str] = ()) -> Self:
        enabled = [table for table in tables if table.enabled]
        configured = [Configured.of(table, grants.of(table.label) if grants else None) for table in enabled]
        return cls(configured, embedded)

    def meant(self, tool: Json) -> Configured | None:
        """The server a declaration names, whoever may use it; None where it brings its own URL, or names nothing."""
        if tool.get("server_url") is not None:
            return None
        connector = tool.get("connector_id")
        return self._by_label.get(tool["server_label"]) if connector is None else self._by_connector.get(connector)

    def embedded(self, tool: Json) -> str:
        """The connector id of the server within this process that a declaration names, unless the operator has one of
        that id himself."""
        connector: str = tool.get("connector_id") or ""
        return connector if connector in self._embedded and connector not in self._by_connector else ""

    def check(self, tool: Json, param: str) -> Json:
        """A declaration that brings no URL, as it is echoed. Raises `RequestError` for a name nobody may use."""
        server = self.meant(tool)
        if self.embedded(tool):
            _refuse_credentials(tool, param, _OURS)
            return declaration.echo(tool)
        if server is None:
            raise self.unknown(tool, param)
        why = f"the operator says what the server '{server.label}' is shown"
        _refuse_credentials(tool, param, why, but="authorization" if server.takes_authorization else "")
        wish = {"require_approval": tool.get("require_approval") or server.require_approval}
        return declaration.echo({**tool, **wish})

    def declared(self, tool: Json, owner: str) -> Declaration:
        """What is kept of a declaration that was checked. Raises `RequestError` if `owner` may not use its server."""
        if tool.get("server_url") is not None:
            return declaration.declared(tool, declaration.target_of(tool, owner))
        if connector := self.embedded(tool):
            return replace(declaration.declared(tool, Target(trusted=True)), embedded=connector)
        server = self.meant(tool)
        if server is None or not server.is_for(owner):
            raise self.unknown(tool, "tools", owner)
        target = server.target_for(owner, tool.get("authorization"))
        made = declaration.declared(server.completed(tool), target)
        of_operator = replace(made, known_as=server.label, untrusted=server.untrusted)
        return replace(of_operator, bound=server.allowed, fallback=server.fallback)

    def unknown(self, tool: Json, param: str, owner: str | None = None) -> RequestError:
        """The refusal of a name that stands for nothing that `owner` may use; None: it is not known yet who asks."""
        by_connector = tool.get("connector_id") is not None
        key = "connector_id" if by_connector else "server_label"
        free = [server for server in self.all if not server.owners or (owner is not None and server.is_for(owner))]
        ours = self._embedded if by_connector else ()
        told = (name for server in free for name in (server.connectors if by_connector else (server.label,)))
        names = sorted({*told, *ours})
        there = f" Configured here: {', '.join(map(repr, names))}." if names else ""
        message = (
            f"No MCP server is configured here under the {key} '{str(tool[key])[:100]}': "
            f"send its 'server_url', or ask the operator to add it.{there}"
        )
        if by_connector:
            return RequestError(message, param=_below(param, key), code="invalid_value")
        message = f"Missing required parameter: '{_below(param, 'server_url')}'. {message}"
        return RequestError(message, param=_below(param, "server_url"), code="missing_required_parameter")


def _refuse_credentials(tool: Json, param: str, why: str, but: str = "") -> None:
    for name in ("authorization", "headers"):
        if tool.get(name) and name != but:
            message = f"Unsupported parameter: {why}."
            raise RequestError(message, param=f"{param}.{name}", code="unsupported_parameter")


def _below(param: str, name: str) -> str:
    """In `tools[0]`; of `tools` it is not known which."""
    return f"{param}.{name}" if param.endswith("]") else param


def _target(table: Table, grant: Grant | None) -> Target:
    if table.command is not None:
        environment = tuple(sorted(table.environment.items()))
        return Target(program=Program(table.command, table.args, environment, table.cwd), trusted=True)
    headers = {name: str(value.get_secret_value()) for name, value in table.headers.items()}
    if token := table.token:
        headers["Authorization"] = f"Bearer {token}"
    transport = _TRANSPORTS[table.transport]
    return Target(table.url or "", tuple(sorted(headers.items())), transport=transport, grant=grant, trusted=True)
