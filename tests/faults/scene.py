"""The response every cell makes: a turn that calls two tools at once, and a turn of text; each step can be held."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tests.connection import Connection
from tests.faults.stops import Stops
from tests.faults.tools import Tools
from tests.upstream import Answer, Ask, Script, Step, says, together

Json = dict[str, Any]
TEXT = "Both tools have answered and this is what they said in the end of it all"
PACE_S = 0.015


@dataclass(frozen=True, slots=True)
class Scene:
    """`key` tells its tool calls from those of other scenes."""

    key: str
    script: Script
    stops: Stops
    tools: Tools

    def body(self, **fields: Any) -> Json:
        """The request."""
        self.script.always(self.line)
        return {
            "model": self.script.model,
            "input": f"Do it for {self.key}.",
            "tools": [self.tools.declared()],
            "background": True,
            "stream": True,
            **fields,
        }

    def ran(self, tool: str) -> int:
        return self.tools.ran[tool, self.key]

    def line(self, ask: Ask) -> Step:
        """What there is to say depends on what has been said, however often it is asked for."""
        since = next(at for at in reversed(range(len(ask.messages))) if ask.messages[at]["role"] == "user")
        if f"Do it for {self.key}." not in str(ask.messages[since]["content"]):
            return says("Well.")
        if len(ask.messages) - since == 1:
            arguments = {"key": self.key}
            return self._held(1, together(("strike", arguments), ("look", arguments), text="Let me see."))
        return self._held(2, says(TEXT))

    def _held(self, turn: int, answer: Answer) -> Answer:
        def stop(what: str) -> Any:
            async def act(wire: Connection) -> None:
                await self.stops.at(f"model {turn} {what}", wire)

            return act

        paced = dataclasses.replace(answer, pace_s=PACE_S)
        places = {"asked": -1, "speaks": 2, "has spoken": len(answer.deltas)}
        for what, after in places.items():
            paced = paced.acting(after, stop(what))
        return paced


#: Places outside the server, in the order in which a scene comes by.
PLACES = (
    "tools listed",
    *(f"model 1 {what}" for what in ("asked", "speaks", "has spoken")),
    *(f"{tool} {what}" for tool in ("strike", "look") for what in ("called", "done")),
    *(f"model 2 {what}" for what in ("asked", "speaks", "has spoken")),
)
