"""Fifty stored runs with tools, and models that make them: the same again, or otherwise at known steps."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from openai import OpenAI

from tests import mcp_servers
from tests.answers import Ask, Step, calls, says, together
from tests.upstream import Line

Json = dict[str, Any]
#: Runs whose model asks its client in between, and goes on when it has answered: a chain of two responses.
CHAINS = frozenset(range(0, 40, 8))
#: Responses: one a run, two a chain.
RESPONSES = 45 + len(CHAINS)
CASES = 45
FUNCTION: Json = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {"at": {}}}}

Act = Callable[[int], Step]
#: By run and turn, what is done there instead.
Otherwise = Mapping[tuple[int, int], Act]


def _usual(run: int, turn: int) -> Step:
    """Two calls at once, one more (a client's in chains), then the answer."""
    if turn == 0:
        return together(("fast_tool", {"text": f"a{run}"}), ("fast_tool", {"text": f"b{run}", "seconds": 0}))
    if turn == 1:
        return calls("look", at=run, why="to see") if run in CHAINS else calls("fast_tool", text=f"c{run}")
    return says(f"The answer of {run} is “{run * 7}”.")


def model(otherwise: Otherwise | None = None, usual: Callable[[int, int], Step] = _usual) -> Line:
    """What run and turn it is in it reads in what it is asked."""

    def answer(ask: Ask) -> Step:
        asked = next(message["content"] for message in ask.messages if message["role"] == "user")
        run = int(re.findall(r"\d+", asked)[0])
        turn = sum(message["role"] == "assistant" for message in ask.messages)
        done = (otherwise or {}).get((run, turn))
        return done(run) if done else usual(run, turn)

    return answer


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the runs on a server."""

    client: OpenAI
    model: str
    fast: mcp_servers.Server

    def make(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._run, range(CASES)))

    def _run(self, run: int) -> None:
        tools: Any = [self.fast.tool(headers={"X-Secret": "header-very-secret"}), FUNCTION]
        asked = {"model": self.model, "tools": tools, "metadata": {"set": "fifty"}}
        first = self.client.responses.create(input=f"Run {run}, please.", **asked)
        if run in CHAINS:
            call = first.output[-1]
            assert call.type == "function_call"
            answer: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": f"seen {run}"}]
            self.client.responses.create(input=answer, previous_response_id=first.id, **asked)


def other_text(run: int) -> Step:
    return says(f"I do not know of {run}.")


def other_arguments(run: int) -> Step:
    return calls("fast_tool", text=f"another {run}")


def one_by_one(run: int) -> Step:
    """The first of the two calls alone."""
    return calls("fast_tool", text=f"a{run}")


def more_calls(run: int) -> Step:
    return together(("fast_tool", {"text": f"c{run}"}), ("fast_tool", {"text": f"a{run}"}))


def same_in_other_words(run: int) -> Step:
    """JSON and layout that are equal: no change."""
    return together(("fast_tool", f'{{ "seconds":0,"text" : "b{run}" }}'), ("fast_tool", {"text": f"a{run}"}))


def same_text(run: int) -> Step:
    return says(f'The answer  of {run} is\n"{run * 7}".')


def other_client_call(run: int) -> Step:
    return calls("look", at=run + 1000, why="to see")


def same_client_call(run: int) -> Step:
    return calls("look", f'{{"why":"to see", "at" :{run}}}')


def longer_text(run: int) -> Step:
    return says(f"Gladly. The answer of {run} is “{run * 7}”. Ask for more.")


def lines(path: Any) -> Iterator[Json]:
    for line in path.read_text().splitlines():
        yield json.loads(line)
