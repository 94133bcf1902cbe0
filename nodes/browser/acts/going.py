"""To pages, from one to another, and waiting for them."""

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from graph.errors import Json, ToolFailed
from nodes.browser.acts.arguments import number, taking, text
from nodes.browser.port import Act, Done, Tab

if TYPE_CHECKING:
    from playwright.async_api import Response

_WEB = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d+(?:[/?#]|$))", re.IGNORECASE)
_DOWNLOADED, _ERROR_PAGE, _ERROR_PAGE_MS = "Download is starting", "chrome-error://chromewebdata/", 500
#: Until a download is told of that took the place of a page.
_DOWNLOAD_BEGINS_S = 0.05
_WAIT_S = 20.0


async def navigate(tab: Tab, arguments: Json) -> Done:
    """To the `url`."""
    from playwright.async_api import Error

    page, url = tab.page, _url(text(arguments, "url"))
    try:
        return _answered(await page.goto(url, wait_until="domcontentloaded"))
    except Error as error:
        if _DOWNLOADED not in error.message:
            with suppress(Error):  # Chromium's own page about it comes late, and would interrupt what is opened next
                await page.wait_for_url(_ERROR_PAGE, wait_until="commit", timeout=_ERROR_PAGE_MS)
            raise
    await asyncio.sleep(_DOWNLOAD_BEGINS_S)
    return Done("What is at that URL is no page but a file.")


async def _back(tab: Tab, arguments: Json) -> Done:
    answer = await tab.page.go_back(wait_until="domcontentloaded")
    return _answered(answer) if answer or tab.page.url != "about:blank" else Done("There was no page before.")


async def _forward(tab: Tab, arguments: Json) -> Done:
    return _answered(await tab.page.go_forward(wait_until="domcontentloaded"))


async def _wait_for(tab: Tab, arguments: Json) -> Done:
    said = arguments.get("text") or arguments.get("textGone")
    seconds = abs(number(arguments, "time", _WAIT_S if said else 1, _WAIT_S))
    if arguments.get("text"):
        shown = tab.page.get_by_text(text(arguments, "text")).first
        await shown.wait_for(state="visible", timeout=seconds * 1000)
    elif said:
        gone = tab.page.get_by_text(text(arguments, "textGone")).first
        await gone.wait_for(state="hidden", timeout=seconds * 1000)
    else:
        await asyncio.sleep(seconds)
    return Done()


async def _tabs(tab: Tab, arguments: Json) -> Done:
    action, pages = text(arguments, "action"), tab.pages
    if action == "new":
        await tab.open()
    elif action in ("select", "close"):
        at = int(number(arguments, "index", len(pages) - 1, 1000))
        if not 0 <= at < len(pages):
            raise ToolFailed(f"`index` must be from 0 to {len(pages) - 1}.")
        await (tab.front(pages[at]) if action == "select" else pages[at].close())
    elif action != "list":
        raise ToolFailed("`action` must be list, new, select or close.")
    marked = [f"{at}:{' (in front)' if page is tab.page else ''} {page.url}" for at, page in enumerate(tab.pages)]
    return Done("Pages that are open:\n" + "\n".join(marked), looks=action != "list")


def _answered(answer: "Response | None") -> Done:
    return Done(f"It was answered with HTTP status {answer.status}." if answer and answer.status >= 400 else "")


def _url(given: str) -> str:
    """Of the web. Raises `ToolFailed`."""
    url = given.strip()
    if url == "about:blank" or _WEB.match(url):
        return url
    if _SCHEME.match(url):
        raise ToolFailed("Only pages of the web can be opened: `url` must begin with http:// or https://.")
    return f"https://{url}"


GOING = (
    Act("browser_navigate", "Open a URL.", taking(url={"type": "string"}), navigate),
    Act("browser_navigate_back", "Go back to the page before.", taking(), _back),
    Act("browser_navigate_forward", "Go forward again.", taking(), _forward),
    Act(
        "browser_wait_for",
        "Wait until a text is there, or has gone, or for some seconds; at most 20.",
        taking(
            ("time", "text", "textGone"),
            time={"type": "number", "description": "Seconds, at most."},
            text={"type": "string", "description": "Text to wait for."},
            textGone={"type": "string", "description": "Text to wait for until it has gone."},
        ),
        _wait_for,
        read_only=True,
    ),
    Act(
        "browser_tabs",
        "List the pages that are open, open a new one, bring one to the front, or close one.",
        taking(
            ("index",),
            action={"type": "string", "enum": ["list", "new", "select", "close"]},
            index={"type": "integer", "description": "Of the page to select or close, as the list has it."},
        ),
        _tabs,
    ),
)
