"""To pages, and from one to another."""

from graph.errors import Json, ToolFailed
from nodes.browser.port import Act, Done, Tab


async def _navigate(tab: Tab, arguments: Json) -> Done:
    url = arguments.get("url")
    if not isinstance(url, str) or not url.strip():
        raise ToolFailed("`url` must be a string that is not empty.")
    await tab.page.goto(url.strip(), wait_until="domcontentloaded")
    return Done()


NAVIGATE = Act(
    "browser_navigate",
    "Open a URL in the browser.",
    {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    _navigate,
)
