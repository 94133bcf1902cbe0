"""What a model reads of pages: fenced as data, with the references that acts take."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page


async def seen(page: "Page", chars: int = 24_000) -> str:
    """The page in front as a model reads it."""
    return (await page.locator("body").aria_snapshot(mode="ai"))[:chars]
