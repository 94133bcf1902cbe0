"""A step in a browser as the model calls it and as its caller sees it: an `mcp_call`, which every SDK knows."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from graph.errors import Json, ToolFailed
from graph.ports import Outcome, Shown, unheard
from nodes.browser.port import CONTAINER, ID_FIELD, Act, Browsers, Choice, Download, Keeps, Sight
from nodes.mcp import calling
from nodes.mcp.declaration import Declaration

KIND = "browser"
#: Of the item: the picture of what the step has led to.
SCREENSHOT_FIELD = "screenshot"


@dataclass(frozen=True, slots=True)
class Room:
    """Where the steps of one run are made, and where what they bring goes."""

    owner: str
    choice: Choice
    #: Its container is here, once another tool has chosen one.
    chosen: Mapping[str, str]
    browsers: Browsers
    keeps: Keeps
    #: Whether the response is: of others no picture is kept.
    stored: bool = True

    async def step(self, act: Act, arguments: Json) -> tuple[Sight, Sequence[str]]:
        """What it has led to, and what became of downloads. Raises `ToolFailed`."""
        async with self.browsers.entered(self.owner, self.choice) as session:
            sight = await session.step(act, arguments)
            return sight, [await self._kept(download) for download in sight.downloads]

    async def pictured(self, sight: Sight) -> Json:
        """The field of an item that shows what a step has led to."""
        id = await self.screenshot(sight.screenshot) if sight.screenshot else None
        return {SCREENSHOT_FIELD: {"file_id": id}} if id else {}

    async def screenshot(self, content: bytes) -> str | None:
        """The id of the file it has become, if it is kept."""
        return await self.keeps.screenshot(self.owner, content) if self.stored else None

    async def _kept(self, download: Download) -> str:
        try:
            return await self.keeps.download(self.owner, self.chosen.get(CONTAINER), download)
        except ToolFailed as failed:
            return failed.message


@dataclass(slots=True)
class BrowserFunction:
    name: str
    act: Act
    server: Declaration
    room: Room
    kind: str = KIND
    cautious: bool = True
    untrusted: bool = True
    description: str = field(init=False)
    parameters: Json = field(init=False)
    origin: tuple[str, str] = field(init=False)
    known_as: str = field(init=False)
    about: str = field(init=False)
    wants_approval: bool | None = field(init=False)
    repeatable: bool = field(init=False)
    deferred: bool = field(init=False)
    #: Item id → the arguments as the model wrote them, from `announce` to `run`.
    _written: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.description = self.act.description
        self.parameters = self.act.parameters
        self.origin = (self.server.label, self.act.name)
        self.known_as = KIND
        self.about = self.server.description or ""
        self.wants_approval = self.server.approval.wanted(self.act.name, self.act.read_only)
        self.repeatable = self.act.read_only
        self.deferred = self.server.deferred

    def item(self) -> Json:
        return calling.begun(self.server.label, self.act.name) | {ID_FIELD: self.room.choice.id}

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return unheard

    def announce(self, shown: Shown, arguments: str) -> None:
        self._written[shown.id] = arguments
        calling.announced(shown, arguments)

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        written = self._written.pop(shown.id, None)
        fields: Json = {"arguments": orjson.dumps(arguments).decode() if written is None else written}
        try:
            sight, downloaded = await self.room.step(self.act, arguments)
        except ToolFailed as failed:
            shown.phase("failed")
            error = calling.execution_failed(failed.message)
            raise ToolFailed(failed.message, {**fields, "status": "failed", "error": error}) from failed
        shown.phase("completed")
        text = "\n\n".join(filter(None, [*downloaded, sight.text])) or "Done."
        fields |= {"status": "completed", "output": text, **await self.room.pictured(sight)}
        return Outcome(fields, [{"type": "text", "text": text}, picture_part(sight.picture)] if sight.picture else text)

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        return calling.unexecuted(message, arguments, interrupted=interrupted)


def picture_part(content: bytes) -> Json:
    """As models are shown it."""
    kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{b64encode(content).decode()}"}}
