"""A real Chromium, without a network."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from nodes.browser.chromium.finding import find


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(None), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def offline(browser: Browser) -> Iterator[Page]:
    """A page that asks no network for anything, and in which nothing goes wrong."""
    context = browser.new_context(offline=True, viewport={"width": 1320, "height": 1000})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    yield page
    context.close()
    assert not wrong


def unfolded(page: Page) -> None:
    """Wait for what stands in cases that were opened: it is made a moment after they are."""
    expect(page.locator("details.case[open] .body:empty")).to_have_count(0)
