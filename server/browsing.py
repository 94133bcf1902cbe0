"""Browsers are put together here, of settings and of what the house has; what they bring home becomes files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from checkpoints.files import Files, Named
from graph.errors import RequestError, ToolFailed
from nodes.browser.browsers import Browsers, Rules
from nodes.browser.chromium.choosing import kind_of
from nodes.browser.face import Face
from nodes.browser.port import Download, pieces
from nodes.browser.session import Limits
from nodes.container.containers import Containers
from nodes.fenced import plain
from nodes.mcp.visible import visible
from nodes.reach import Reach
from nodes.sandbox.network import passing
from nodes.sandbox.port import Broken
from nodes.sandbox.proxy import Exits
from server.finding import Finding
from server.settings import Settings

#: Pages load many things at once, and stay open for long.
_PROXY = passing.Limits(connections=256, total_bytes=16 << 30, life_s=3600.0, ports=None)
_PURPOSE = "assistants_output"
_PIECE_BYTES = 1 << 20


def browsing(settings: Settings, files: Files, containers: Containers) -> Face:
    """Nothing is started yet."""
    limits = Limits(step_s=settings.browser_step_timeout_s)
    rules = Rules(
        chromium=settings.browser_chromium,
        sandbox=settings.browser_sandbox,
        memory_bytes=settings.browser_memory_bytes,
        limit=settings.browser_limit,
        idle_s=settings.browser_idle_s,
        limits=limits,
    )
    exits = Exits(Reach(allowed=settings.browser_allowed_hosts), _PROXY)
    hours = settings.browser_screenshot_hours if settings.browser_screenshots else None
    return Face(Browsers(rules, exits), Keeping(files, containers, hours))


async def examined(settings: Settings) -> Finding:
    """Whether models could browse."""
    try:
        kind = await kind_of(settings.browser_chromium, settings.browser_sandbox, settings.browser_memory_bytes)
    except Broken as broken:
        return Finding("note", "Models cannot use a browser here.", str(broken))
    around = "within bubblewrap" if kind.confined else "with its own sandbox alone"
    return Finding("fine", f"Models can use a browser: {kind.program}, {around}.")


class Keeping:
    """Fits `nodes.browser.port.Keeps`."""

    def __init__(self, files: Files, containers: Containers, hours: float | None) -> None:
        """`hours`: of pictures; None keeps none."""
        self._files = files
        self._containers = containers
        self._expires_s = None if hours is None else round(hours * 3600)

    async def screenshot(self, owner: str, content: bytes) -> str | None:
        if self._expires_s is None:
            return None
        named = Named("screenshot.jpg", _PURPOSE, self._expires_s)
        with suppress(RequestError):  # the owner has no room for it
            return await self._kept(owner, named, pieces(content))
        return None

    async def download(self, owner: str, container: str | None, download: Download) -> str:
        name = plain(visible(Path(download.filename).name))[-200:] or "download"
        try:
            id = await self._kept(owner, Named(name, _PURPOSE), _read(download.path))
        except (RequestError, OSError) as error:
            why = error.message if isinstance(error, RequestError) else "it is not there any more."
            raise ToolFailed(f'"{name}" was downloaded and could not be kept: {why}') from error
        if container is None:
            return f'"{name}" was downloaded ({download.size_bytes} bytes): it is the user\'s file {id} now.'
        self._containers.bring(owner, container, id)
        return f'"{name}" was downloaded ({download.size_bytes} bytes): the next code that runs finds it in /mnt/data.'

    async def _kept(self, owner: str, named: Named, chunks: AsyncIterator[bytes]) -> str:
        place, size_bytes = await self._files.write(chunks)
        try:
            return (await self._files.add(owner, named, place, size_bytes)).id
        except BaseException:
            await self._files.drop([place])
            raise


async def _read(path: str) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(Path(path).open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
    finally:
        file.close()
