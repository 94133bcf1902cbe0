"""This version beside an older one, in rounds that take turns: what has become dearer."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from evals.bench.bars import CASES, Bar, Case, Cost, Effort, cost
from evals.bench.client import RESPONSES, Load, Question
from evals.bench.process import Place, Process
from evals.bench.site import Site

#: A ratio above this is more than noise.
_LIMIT = 1.05


async def since(site: Site, checkout: Path, effort: Effort, say: Callable[[str], None]) -> list[Bar]:
    """`checkout`: another version's directory."""
    with ExitStack() as stack:
        old = stack.enter_context(site.server("old", place=Place(checkout)))
        new = stack.enter_context(site.server("new"))
        for question in (Question("say-20"), Question("say-20", stream=True)):
            for server in (old, new):
                await Load(server.port, RESPONSES).ask(question, 4, 20)
        tool = Question("tool-3", more={"tools": [site.tool]})
        bars: list[Bar] = []
        for case in (*CASES, Case("not streamed, three tool steps, 16 at once", tool, 16, _LIMIT)):
            say(f"{case.name}, old and new")
            bars.append(await _ratio(old, new, case, effort))
        return bars


async def _ratio(old: Process, new: Process, case: Case, effort: Effort) -> Bar:
    costs: list[list[Cost]] = [[], []]
    for turn in range(effort.rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            server = (old, new)[which]
            costs[which].append(await cost(server, Load(server.port, RESPONSES), case, effort.requests))
    ratio = median(late.cpu_ms / early.cpu_ms for early, late in zip(*costs, strict=True))
    was, now = (median(one.cpu_ms for one in some) for some in costs)
    return Bar(f"CPU, {case.name}", ratio, _LIMIT, "× before", f"{was:.2f} → {now:.2f} ms")
