"""What a model reads of pages: fenced as data, with the references that acts take."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

#: For frames that never answer: what else there is to be seen is told then.
_FRAME_MS = 1000


async def seen(page: "Page", chars: int = 24_000) -> str:
    """The page in front as a model reads it."""
    return (await page.locator("body").aria_snapshot(mode="ai", timeout=_FRAME_MS))[:chars]
