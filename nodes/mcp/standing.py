"""How the operator's servers stand: asked one and all, for those who look after them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nodes.mcp.configured import Configured
from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.session import Sessions
from nodes.reach import Reach


@dataclass(frozen=True, slots=True)
class Standing:
    label: str
    #: As the settings call it; empty if the server is disabled.
    transport: str
    state: Literal["reachable", "down", "disabled"]
    #: How many it lists.
    tools: int | None = None
    #: Without secrets, fit for the operator's eyes.
    error: str | None = None
    #: `login needed`, or when the login expires; None where it takes none.
    login: str | None = None


async def standings(servers: Sequence[Configured], limits: Limits) -> list[Standing]:
    """Of each server, in their order. Takes no longer than one session may take to open."""
    sessions = Sessions(limits, Reach())
    try:
        found = await asyncio.gather(*(_standing(server, sessions) for server in servers))
    finally:
        await sessions.close()
    logins = [server.target.grant for server in servers]
    return [
        replace(standing, login=await login.standing()) if login else standing
        for standing, login in zip(found, logins, strict=True)
    ]


async def _standing(server: Configured, sessions: Sessions) -> Standing:
    target = server.target
    transport = "stdio" if target.program else "sse" if target.transport == "sse" else "streamable_http"
    try:
        tools = await sessions.tools(target)
    except ServerFailed as failure:
        return Standing(server.label, transport, "down", error=target.redacted(failure.message))
    return Standing(server.label, transport, "reachable", len(tools))
