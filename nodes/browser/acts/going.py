"""To pages, and from one to another."""

import re

from graph.errors import Json, ToolFailed
from nodes.browser.port import Act, Done, Tab

_WEB = re.compile(r"https?://", re.IGNORECASE)
#: Until a download is told of that took the place of a page.
_DOWNLOAD_BEGINS_MS = 50


async def _navigate(tab: Tab, arguments: Json) -> Done:
    url = _url(arguments.get("url"))
    from playwright.async_api import Error

    try:
        await tab.page.goto(url, wait_until="domcontentloaded")
    except Error as error:
        if "Download is starting" not in error.message:
            raise
        await tab.page.wait_for_timeout(_DOWNLOAD_BEGINS_MS)
    return Done()


def _url(given: object) -> str:
    """Of the web. Raises `ToolFailed`."""
    url = given.strip() if isinstance(given, str) else ""
    if not url:
        raise ToolFailed("`url` must be a string that is not empty.")
    if url != "about:blank" and not _WEB.match(url):
        if ":" in url.partition("/")[0].partition(".")[0]:
            raise ToolFailed("Only pages of the web can be opened: `url` must begin with http:// or https://.")
        url = f"https://{url}"
    return url


NAVIGATE = Act(
    "browser_navigate",
    "Open a URL in the browser.",
    {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    _navigate,
)
