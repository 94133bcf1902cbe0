"""One conversation's browser, and one step in it. Fits `port.Session`."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.errors import Json, ToolFailed
from nodes.browser.acts.failing import words
from nodes.browser.chromium.running import Chromium
from nodes.browser.port import Act, Done, Download, Sight
from nodes.browser.tabs import Tabs
from nodes.browser.telling import seen

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Error
    from playwright.async_api import Download as Handed

_GONE = "The browser has ended, and what was open in it is lost; the next step begins in a fresh one."
_FRESH = "This is a fresh browser: what earlier steps had opened is not there any more."
_STUCK = "The page in front did not answer any more, and was closed."
_SCREENSHOT_MS = 3000
_SCREENSHOT_QUALITY = 60


@dataclass(frozen=True, slots=True)
class Limits:
    step_s: float = 30.0
    #: For what an act waits for: an element, say. Short of a step's, so that the model is told which.
    act_s: float = 5.0
    download_s: float = 20.0


class Session:
    def __init__(self, chromium: Chromium, context: "BrowserContext", limits: Limits, *, lost: bool) -> None:
        """`lost`: the model knows of another, which is gone."""
        self.fresh = True
        self._chromium = chromium
        self._context = context
        self._limits = limits
        self._notes = [_FRESH] if lost else []
        self.tab = Tabs(context)
        context.set_default_timeout(limits.act_s * 1000)
        context.set_default_navigation_timeout(limits.step_s * 900)

    @property
    def alive(self) -> bool:
        return self._chromium.alive

    async def step(self, act: Act, arguments: Json) -> Sight:
        from playwright.async_api import Error

        try:
            async with self._chromium.limited(self._limits.step_s):
                await self.tab.ready()
                done = await act.do(self.tab, arguments)
                if not act.read_only:
                    await self.tab.settled()
                return await self._sight(done)
        except (TimeoutError, Error) as error:
            await self._chromium.answers()
            raise ToolFailed(self._gone() or await self._failure(error)) from error
        except IndexError as error:  # the last page has closed under it
            raise ToolFailed(self._gone() or "The page was closed; open another.") from error

    async def _failure(self, error: "TimeoutError | Error") -> str:
        """Why a step came to nothing; a page that has made it late and will never answer is closed."""
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as Late

        said = words(error) if isinstance(error, Error) else f"The step took longer than {self._limits.step_s:g} s."
        closed = await self.tab.unstick() if isinstance(error, TimeoutError | Late) else False
        return f"{said} {_STUCK}" if closed else said

    async def screenshot(self) -> bytes | None:
        """What there is to be seen, as a JPEG; None when that cannot be had."""
        from playwright.async_api import Error

        with suppress(Error):
            return await self.tab.page.screenshot(
                type="jpeg", quality=_SCREENSHOT_QUALITY, timeout=_SCREENSHOT_MS, animations="disabled", caret="initial"
            )
        return None

    async def close(self) -> None:
        from playwright.async_api import Error

        with suppress(Error, TimeoutError):
            async with asyncio.timeout(self._limits.act_s):
                await self._context.close()

    # ------------------------------------------------------------ what a step has led to

    async def _sight(self, done: Done) -> Sight:
        await self.tab.ready()
        text = await seen(self.tab.page) if done.looks else ""
        downloads, failed = await self._downloads(self.tab.handed())
        notes = [*self._notes, *self.tab.noted(), *failed]
        self._notes = []
        page = self.tab.page
        return Sight(
            url=page.url,
            title=await page.title(),
            text="\n\n".join(filter(None, [*notes, done.note, text])),
            picture=done.picture,
            screenshot=await self.screenshot(),
            downloads=downloads,
        )

    async def _downloads(self, handed: "Sequence[Handed]") -> tuple[list[Download], list[str]]:
        from playwright.async_api import Error

        arrived, failed = list[Download](), list[str]()
        for one in handed:
            try:
                async with asyncio.timeout(self._limits.download_s):
                    path = await one.path()
                size_bytes = (await asyncio.to_thread(path.stat)).st_size
                arrived.append(Download(one.suggested_filename, str(path), size_bytes))
            except (Error, TimeoutError, OSError):
                failed.append("A file that the page handed over did not arrive.")
        return arrived, failed

    def _gone(self) -> str:
        return "" if self.alive else " ".join(filter(None, [self._chromium.why, _GONE]))
