"""The browser as a server of tools within this process: `connector_browser`, which any SDK can ask for.

Fits `nodes.mcp.embedded.Embedded`.
"""

from functools import partial

from graph.errors import Json
from graph.ports import Function, Opening
from nodes.browser.acts import ACTS
from nodes.browser.function import KIND, BrowserFunction, Room
from nodes.browser.port import Browsers, Keeps
from nodes.mcp.declaration import Declaration
from nodes.mcp.embedded import Make

CONNECTOR = "connector_browser"
_BY_NAME = {act.name: act for act in ACTS}


class Face:
    def __init__(self, browsers: Browsers, keeps: Keeps) -> None:
        self.browsers = browsers
        self.keeps = keeps

    async def problem(self) -> str | None:
        return await self.browsers.problem()

    def tools(self) -> list[Json]:
        return [
            {
                "name": act.name,
                "description": act.description,
                "input_schema": act.parameters,
                "annotations": {"read_only": act.read_only},
            }
            for act in ACTS
        ]

    def opened(self, opening: Opening) -> Make:
        return partial(self.function, self.room(opening), "mcp")

    def room(self, opening: Opening) -> Room:
        """Tools of one response share a browser."""
        choice = self.browsers.choose(opening.entries, opening.chosen.get(KIND))
        opening.chosen[KIND] = choice.id
        return Room(opening.owner, choice, opening.chosen, self.browsers, self.keeps, opening.stored)

    def function(self, room: Room, kind: str, name: str, listed: Json, server: Declaration) -> Function:
        """`kind`: whose declaration it is of."""
        return BrowserFunction(name, _BY_NAME[listed["name"]], server, room, kind)
