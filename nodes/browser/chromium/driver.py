"""Playwright's own process, which speaks to every Chromium: started when one is wanted."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it takes a third of a second to import
    from playwright.async_api import BrowserType, Playwright

_ANSWER_S = 5.0


class Driver:
    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None

    async def get(self) -> "BrowserType":
        """What starts Chromium."""
        async with self._starting:
            if self._playwright is None:
                self._playwright = await self._started()
            return self._playwright.chromium

    async def doubt(self, driving: "BrowserType") -> None:
        """What drives it may have died: then the next who wants one has it started anew."""
        async with self._starting:
            if self._playwright and self._playwright.chromium == driving and not await _answers(self._playwright):
                await self._stop()

    async def close(self) -> None:
        async with self._starting:
            await self._stop()

    async def _started(self) -> "Playwright":
        manager: Any = (await asyncio.to_thread(_imported))()
        playwright: Playwright = await manager.start()
        with suppress(AttributeError):  # it is theirs: nobody reads of its end, which asyncio then logs as a bug
            manager._client._transport.on_error_future.add_done_callback(asyncio.Future[None].exception)
        return playwright

    async def _stop(self) -> None:
        playwright, self._playwright = self._playwright, None
        if playwright:
            try:
                async with asyncio.timeout(5):
                    await playwright.stop()
            except Exception:  # noqa: S110  # whatever a dead process is told with
                pass


async def _answers(playwright: "Playwright") -> bool:
    from playwright.async_api import Error

    try:
        async with asyncio.timeout(_ANSWER_S):
            await (await playwright.request.new_context()).dispose()
    except (Error, TimeoutError):
        return False
    return True


def _imported():  # pyright: ignore[reportUnknownParameterType]
    from playwright.async_api import async_playwright

    return async_playwright
