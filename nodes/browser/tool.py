"""The `browser` hosted tool: lets the model use a web browser that runs here. An extension of the Responses API."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.ports import Function, Opening
from nodes.browser import declaration
from nodes.browser.face import Face
from nodes.browser.function import KIND
from nodes.mcp.function import model_names
from nodes.premises import Premises


class Browser:
    """Keeps nothing: `Browsers` do."""

    kind = KIND
    types: Sequence[str] = (KIND,)

    def __init__(self, face: Face) -> None:
        self._face = face

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `browser_`."""
        return cls(premises.browser)

    def check(self, tool: Json, param: str) -> Json:
        return declaration.checked(tool, param)

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        tool, param = tools[0], opening.param(tools[0])
        if len(tools) > 1:
            message = f"There may be one '{KIND}' among the 'tools'."
            raise RequestError(message, param=opening.param(tools[1]), code="invalid_value")
        if problem := await self._face.problem():
            raise RequestError(problem, param=param, code="browser_unavailable")
        server, room = declaration.declared(tool), self._face.room(opening)
        listed = [one for one in self._face.tools() if server.offers(one["name"], one["annotations"]["read_only"])]
        names = model_names([(server.label, one["name"]) for one in listed], opening.taken)
        return [self._face.function(room, KIND, name, one, server) for name, one in zip(names, listed, strict=True)]

    async def close(self) -> None:
        """Browsers are closed by who has opened them."""
