"""What a call of an MCP tool costs over a session that is kept open, and many calls at once to one server."""

import asyncio
from statistics import median
from time import perf_counter

import orjson

from evals.bench.bars import Bar, Effort
from evals.bench.client import RESPONSES, Connection, Question, Wire, WrongAnswer
from evals.bench.process import Process
from evals.bench.site import Site

_STEPS, _AT_ONCE = 12, 50
_SAID = b"Two ships, one of them leaving."
#: The events before and after a call.
_BEGUN, _ENDED = b"event: response.mcp_call_arguments.done\n", b"event: response.mcp_call.completed\n"


class Watching(Connection):
    """Tells how long each call of a streamed response took, as its reader sees it."""

    def __init__(self, port: int) -> None:
        super().__init__(port, RESPONSES)
        self.took_ms: list[float] = []

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if _BEGUN in body:
            self._begun = perf_counter()
        if _ENDED in body:
            self.took_ms.append((perf_counter() - self._begun) * 1000)


async def mcp(site: Site, server: Process, effort: Effort) -> list[Bar]:
    connection, direct = Watching(server.port), Wire(site.tools.port)
    await _asked(site, connection, _STEPS)
    connection.took_ms.clear()
    own: list[float] = []
    for _ in range(effort.rounds):
        await _asked(site, connection, _STEPS)
        own.append(await _alone(direct))
    connection.close()
    direct.close()
    added = sorted(took - median(own) for took in connection.took_ms)
    detail = f"p90 {added[len(added) * 9 // 10]:.1f} ms; the server itself takes {median(own):.2f} ms"
    return [
        Bar("MCP, a call over a kept session adds", median(added), 8, "ms", detail),
        await _crowd(site, server, effort),
    ]


async def _asked(site: Site, connection: Connection, steps: int) -> None:
    body = await connection.ask(Question(f"tool-{steps}", stream=True, more={"tools": [site.tool]}))
    if body.count(_ENDED) != steps or _SAID not in body:
        raise WrongAnswer(f"{steps} calls were expected: {body[-500:]!r}")


async def _alone(direct: Wire) -> float:
    """The same call without us."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look", "arguments": {"step": 1}}}
    body = orjson.dumps(call)
    head = f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    took: list[float] = []
    for _ in range(20):
        began = perf_counter()
        await direct.send(head + body)
        took.append((perf_counter() - began) * 1000)
    return median(took)


async def _crowd(site: Site, server: Process, effort: Effort) -> Bar:
    """Responses at once, one call each, over one session."""
    connections = [Connection(server.port, RESPONSES) for _ in range(_AT_ONCE)]
    took: list[float] = []
    for _ in range(effort.rounds):
        began = perf_counter()
        await asyncio.gather(*(_asked(site, connection, 1) for connection in connections))
        took.append((perf_counter() - began) * 1000 / _AT_ONCE)
    for connection in connections:
        connection.close()
    name = f"MCP, {_AT_ONCE} calls at once to one server, each"
    return Bar(name, median(took), 30, "ms", f"all {_AT_ONCE} done in {median(took) * _AT_ONCE:.0f} ms")
