"""The `computer` hosted tool: `computer` and `computer_use_preview` with `executor: "server"`.

Without it, the computer is the client's own (`graph.fixed_tools`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.ports import Function, Opening
from nodes.browser.computer.declaration import PREVIEW, checked, screen
from nodes.browser.computer.function import KIND, ComputerFunction
from nodes.browser.face import Face
from nodes.premises import Premises


class Computer:
    """Keeps nothing: `Browsers` do."""

    kind = KIND
    types: Sequence[str] = (KIND, PREVIEW)

    def __init__(self, face: Face) -> None:
        self._face = face

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `computer_`: there are none."""
        return cls(premises.browser)

    def check(self, tool: Json, param: str) -> Json:
        return checked(tool, param)

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        tool, param = tools[0], opening.param(tools[0])
        if len(tools) > 1:
            message = "There may be one computer that the server executes among the 'tools'."
            raise RequestError(message, param=opening.param(tools[1]), code="invalid_value")
        if problem := await self._face.problem():
            raise RequestError(problem, param=param, code="browser_unavailable")
        name, number = KIND, 1
        while name in opening.taken:
            number += 1
            name = f"{KIND}_{number}"
        return [ComputerFunction(name, self._face.room(opening), screen(tool, param), tool["type"] == PREVIEW)]

    async def close(self) -> None:
        """Browsers are closed by who has opened them."""
