"""What must be true of a response whatever happened while it was made."""

import json
from collections.abc import Sequence
from typing import Any

from tests.conftest import SIGNS_OF_BUGS
from tests.faults.arena import Arena
from tests.faults.reader import Reader
from tests.faults.scene import TEXT, Scene
from tests.grammar import Illegal, check_stream

Json = dict[str, Any]
SETTLES_S = 6.0


class Check:
    """Collects what is wrong instead of stopping at the first."""

    def __init__(self, arena: Arena, scene: Scene) -> None:
        self._arena = arena
        self._scene = scene
        self.problems: list[str] = []

    def demand(self, fact: bool, otherwise: str) -> None:
        if not fact:
            self.problems.append(otherwise)

    def stream(self, reader: Reader) -> Json:
        """Gives the response of the terminal event, empty when there is none."""
        self.problems += reader.problems
        try:
            grammar = check_stream(reader.raw)
        except Illegal as illegal:
            self.problems.append(f"grammar: {illegal}")
            return _last_response(reader)
        return grammar.events[-1]["response"]

    def replays(self, reader: Reader) -> None:
        """The same bytes, from every server."""
        if reader.response_id is None:
            return
        for number, server in enumerate(self._arena.servers):
            raw = self._arena.replay(reader.response_id, server)
            self.demand(raw == reader.raw, f"replay from server {number} differs{_difference(raw, reader.raw)}")

    def stored(self, terminal: Json) -> None:
        for server in self._arena.servers:
            stored = self._arena.get(f"/responses/{terminal['id']}", server)
            self.demand(stored == terminal, f"stored differs from the terminal event: {_unlike(stored, terminal)}")

    def unchanged(self, before: Json) -> None:
        """An earlier response that was acknowledged."""
        now = self._arena.get(f"/responses/{before['id']}")
        self.demand(now == before, f"an earlier response changed: {_unlike(now, before)}")

    def tools(self, asked: int) -> None:
        struck = self._scene.ran("strike")
        self.demand(struck <= asked, f"the unsafe tool ran {struck} times for {asked} requests")
        self.demand(self._scene.tools.unproven == 0, "a call did not show the caller's secret")

    def goes_on(self, terminal: Json, **where: Any) -> None:
        """The model is shown a whole conversation afterwards: every call answered once, nothing of what was cut."""
        self._arena.say(input="Well?", **where)
        messages = self._arena.upstream.on("model").last.messages
        first = max(at for at, message in enumerate(messages) if self._scene.key in str(message["content"]))
        own = messages[first + 1 : -1]
        said = [message["content"] for message in own if message["role"] == "assistant" and message.get("content")]
        if terminal["status"] == "completed":
            self.demand(said[-1:] == [TEXT], f"the model is told that it said {said}")
            self.demand(sum(TEXT[:20] in text for text in said) == 1, f"the model is told twice: {said}")
        asked = [call["id"] for message in own for call in message.get("tool_calls") or ()]
        answered = [message["tool_call_id"] for message in own if message["role"] == "tool"]
        self.demand(sorted(asked) == sorted(answered), f"calls {asked} were answered by {answered}")

    def logs(self, since: Sequence[int]) -> None:
        """No server tells of a bug."""
        for server, size in zip(self._arena.servers, since, strict=True):
            said = server.log(size)
            for sign in SIGNS_OF_BUGS:
                before, found, after = said.partition(sign)
                record = after.partition("\n20")[0]  # up to the next, which begins with its date
                self.demand(not found, f"log: {before[-200:]}{found}{record[-1200:]}")

    def nothing_left(self) -> None:
        self.problems += self._arena.left_over(SETTLES_S)


def _last_response(reader: Reader) -> Json:
    events = [json.loads(frame.partition(b"\ndata: ")[2]) for frame in reader.frames[-1:]]
    return next((event["response"] for event in events if "response" in event), {})


def _unlike(one: Json, other: Json) -> str:
    keys = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
    return "; ".join(f"{key}: {str(one.get(key))[:300]} / {str(other.get(key))[:300]}" for key in sorted(keys))


def _difference(one: bytes, other: bytes) -> str:
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f" from byte {at} of {len(one)}/{len(other)}: {one[at : at + 80]!r} / {other[at : at + 80]!r}"
