"""The pages of one conversation: which is in front, and what they do by themselves. Fits `port.Tab`."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Page, Request
    from playwright.async_api import Download as Handed

_PAGES = 10
#: What may change what there is to be read.
_AWAITED = frozenset({"document", "script", "xhr", "fetch"})
#: Seconds until what an act sets off has begun, or gone on; and how long that is waited for.
_QUIET_S = 0.04
_SETTLE_S = 1.5
_NOTES = 10
_MORE = f"Pages were opened beyond the {_PAGES} that are kept, and closed at once."
#: For a page to say that it is there, on a machine that is busy.
_ANSWER_S = 3.0
_CLOSE_S = 1.0
_SAID_CHARS = 300


class Tabs:
    def __init__(self, context: "BrowserContext") -> None:
        self._context = context
        self._pages: list[Page] = []
        #: What happened without being asked for, for the model to be told once.
        self._notes: list[str] = []
        self._handed: list[Handed] = []
        #: Requests of pages that are not answered yet.
        self._asked: set[Request] = set()
        self._quiet = asyncio.Event()
        context.on("request", self._began)
        context.on("requestfinished", self._ended)
        context.on("requestfailed", self._ended)
        context.on("page", self._opened)
        context.on("page", self._bounded)
        context.on("dialog", self._answered)

    @property
    def page(self) -> "Page":
        return self._pages[-1]

    @property
    def pages(self) -> "Sequence[Page]":
        return [page for page in self._context.pages if page in self._pages]

    async def open(self) -> None:
        await self._leave(_PAGES - 1)
        await self._context.new_page()
        self._notes.clear()  # that is what was asked for

    async def front(self, page: "Page") -> None:
        self._pages.remove(page)
        self._pages.append(page)
        await page.bring_to_front()

    async def ready(self) -> None:
        """There is a page."""
        if not self._pages:
            await self._context.new_page()

    async def unstick(self) -> bool:
        """Close the page in front if it does not answer: a script that never ends holds up whatever is asked of it."""
        if not self._pages:
            return False
        page = self.page
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await _answered_at_all(page)
                return False
        self._closed(page)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await _close(page)
        return True

    async def _leave(self, most: int) -> None:
        """Those that are longest out of sight are closed."""
        while len(self._pages) > most:
            await self._pages.pop(0).close()

    async def settled(self) -> None:
        """What the last act has set off has come, or has had its time."""
        until = time.monotonic() + _SETTLE_S
        await asyncio.sleep(_QUIET_S)
        while self._asked and time.monotonic() < until:
            with suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    await self._quiet.wait()
            await asyncio.sleep(_QUIET_S)

    def noted(self) -> Sequence[str]:
        """What happened since this was last asked."""
        notes, self._notes = self._notes, []
        return notes

    def handed(self) -> "Sequence[Handed]":
        """What pages have handed over since this was last asked."""
        handed, self._handed = self._handed, []
        return handed

    def _began(self, request: "Request") -> None:
        if request.resource_type in _AWAITED:
            self._asked.add(request)
            self._quiet.clear()

    def _ended(self, request: "Request") -> None:
        self._asked.discard(request)
        if not self._asked:
            self._quiet.set()

    def _opened(self, page: "Page") -> None:
        if len(self._pages) >= _PAGES:
            return self._note(_MORE)
        if self._pages:
            self._note("Another page was opened, and is in front now.")
        self._pages.append(page)
        page.on("close", self._closed)
        page.on("crash", self._crashed)
        page.on("download", self._downloaded)

    async def _bounded(self, page: "Page") -> None:
        """Pages that open others without end do not get further than this."""
        if page not in self._pages:
            await _close(page)

    def _downloaded(self, handed: "Handed") -> None:
        self._handed.append(handed)

    def _closed(self, page: "Page") -> None:
        if page in self._pages:
            self._pages.remove(page)

    def _crashed(self, page: "Page") -> None:
        self._note("The page in front has crashed.")
        self._closed(page)

    async def _answered(self, dialog: "Dialog") -> None:
        """A page waits for the answer, and with it everything: alerts and leaving are agreed to, the rest is not."""
        agreed = dialog.type in ("alert", "beforeunload")
        said = " ".join(dialog.message.split())[:_SAID_CHARS]
        if dialog.type != "beforeunload":
            done = "closed" if agreed else "answered with Cancel"
            self._note(f"The page showed a dialog ({dialog.type}), which was {done}; it said, as data: {said!r}")
        with suppress(Exception):  # it has gone with its page; an error here would end the whole connection
            await (dialog.accept() if agreed else dialog.dismiss())

    def _note(self, note: str) -> None:
        if len(self._notes) < _NOTES and note not in self._notes:
            self._notes.append(note)


async def _answered_at_all(page: "Page") -> None:
    with suppress(Exception):  # an error is an answer
        await page.evaluate("0")


async def _close(page: "Page") -> None:
    with suppress(Exception):  # it has gone; an error in a listener would end the whole connection
        await page.close()
