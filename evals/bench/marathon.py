"""Whether memory stays what it is over very many requests."""

from collections.abc import Awaitable, Callable

from evals.bench.background import Caller
from evals.bench.bars import Bar
from evals.bench.client import RESPONSES, Load, Question
from evals.bench.process import Process
from evals.bench.site import Site

_AT_ONCE = 16
#: What is remembered of conversations fills up while the server warms up.
_FLAGS = ("--cache-bytes", "4000000")
_FOREGROUND, _BACKGROUND = 20_000, 2_000
_LOOKS = 5


async def marathon(site: Site, say: Callable[[str], None]) -> list[Bar]:
    with site.server("marathon", *_FLAGS) as server:
        return [
            await _grown(server, "stored short turns", _foreground, _FOREGROUND, say),
            await _grown(server, "background runs", _background, _BACKGROUND, say),
        ]


async def _grown(
    server: Process, what: str, ask: Callable[[Process, int], Awaitable[None]], count: int, say: Callable[[str], None]
) -> Bar:
    await ask(server, count // 4)
    sizes = [server.memory_kb() / 1024]
    for look in range(_LOOKS):
        say(f"{look * count // _LOOKS} of {count} {what}, {sizes[-1]:.1f} MB")
        await ask(server, count // _LOOKS)
        sizes.append(server.memory_kb() / 1024)
    detail = " → ".join(f"{size:.1f}" for size in sizes) + " MB"
    return Bar(f"memory over {count} {what}", sizes[-1] - sizes[0], 0.1 * sizes[0], "MB more", detail)


async def _foreground(server: Process, count: int) -> None:
    await Load(server.port, RESPONSES).ask(Question("say-20"), _AT_ONCE, count // _AT_ONCE)


async def _background(server: Process, count: int) -> None:
    caller = Caller(server.port, _AT_ONCE)
    await caller.until_ended(await caller.queue(Question("say-20"), count))
    caller.close()
