"""What a model reads of pages: as a tree of roles and names, with the references that acts take, fenced as data."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graph.errors import ToolFailed
from nodes.fenced import data, plain, safe, titled

if TYPE_CHECKING:
    from playwright.async_api import Page

#: For frames that never answer: what else there is to be seen is told then.
_FRAME_MS = 1000
#: For pages of tens of thousands of elements.
_LARGE_MS = 6000
#: Of what is told of a page at once.
_CHARS = 24_000
_LINE_CHARS = 2000
_FOUND, _AROUND = 10, 2
#: A name, also one that was cut off.
_SAID = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?$)')
_TEXT = re.compile(r"^(\s*- [^:]*?: )(.*)$")


async def seen(page: "Page", *, first: int = 1, ref: str = "") -> str:
    """A page from a line on, or what is beneath one of its elements."""
    lines = await _lines(page, ref)
    if not lines:
        return await _fenced(page, "(The page shows nothing.)")
    first = min(max(1, first), len(lines))
    told, left = list[str](), _CHARS
    for line in map(_genuine, lines[first - 1 :]):
        left -= len(line) + 1
        if left < 0 and told:
            break
        told.append(line)
    last = first + len(told) - 1
    note = "" if last == len(lines) else f"\nThese are lines {first} to {last} of {len(lines)}: see more with `line`."
    return await _fenced(page, "\n".join(told)) + note


async def found(page: "Page", text: str) -> str:
    """The lines of a page that have `text`, with their neighbours and numbers."""
    lines = await _lines(page)
    hits = [at for at, line in enumerate(lines) if text.casefold() in line.casefold()]
    near = {at for hit in hits[:_FOUND] for at in range(max(0, hit - _AROUND), min(len(lines), hit + _AROUND + 1))}
    told = "\n".join(f"{at + 1}: {_genuine(lines[at])}" for at in sorted(near))
    count = f"{len(hits)} of {len(lines)} lines have it."
    return f"{count}\n{await _fenced(page, told)}" if hits else count


async def _lines(page: "Page", ref: str = "") -> Sequence[str]:
    """As they are: of many, few are told."""
    from playwright.async_api import TimeoutError

    place = page.locator(f"aria-ref={ref}") if ref else page
    try:
        tree = await place.aria_snapshot(mode="ai", timeout=_FRAME_MS)
    except TimeoutError:  # not of a frame: the page is large, or the machine busy
        tree = await place.aria_snapshot(mode="ai", timeout=_LARGE_MS)
    return tree.splitlines()


def _genuine(line: str) -> str:
    """What a page says cannot pass for a reference."""
    line = _SAID.sub(lambda said: said[0].replace("[ref=", "(ref="), line[:_LINE_CHARS])
    text = _TEXT.match(line)
    return text[1] + text[2].replace("[ref=", "(ref=") if text else line


async def _fenced(page: "Page", text: str) -> str:
    head = f'<page url="{plain(page.url)}" title="{titled(await page.title())}">'
    return f"{data('page')}\n{head}\n{safe(text)}\n</page>"


def line_of(given: object) -> int:
    """A number of a line as models write it. Raises `ToolFailed`."""
    said = str(1 if given is None else given).strip().lstrip("Ll")
    if not said.isascii() or not said.isdecimal():
        raise ToolFailed("`line` must be a number.")
    return int(said[:9])
