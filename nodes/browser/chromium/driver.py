"""Playwright's own process, which speaks to every Chromium: started when one is wanted."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes a third of a second to import
    from playwright.async_api import Playwright


class Driver:
    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None

    async def get(self) -> "Playwright":
        async with self._starting:
            if self._playwright is None:
                self._playwright = await self._started()
            return self._playwright

    async def forget(self) -> None:
        """It has died: the next who wants it starts it anew."""
        async with self._starting:
            await self._stop()

    async def close(self) -> None:
        await self.forget()

    async def _started(self) -> "Playwright":
        begin = await asyncio.to_thread(_imported)
        return await begin().start()

    async def _stop(self) -> None:
        playwright, self._playwright = self._playwright, None
        if playwright:
            try:
                async with asyncio.timeout(5):
                    await playwright.stop()
            except Exception:  # noqa: S110  # whatever a dead process is told with
                pass


def _imported():  # pyright: ignore[reportUnknownParameterType]
    from playwright.async_api import async_playwright

    return async_playwright
