"""What is done on the screen, action by action.

Source: openai.types.responses.ComputerAction.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from graph.errors import Json, ToolFailed
from nodes.browser.acts.arguments import number, text

if TYPE_CHECKING:
    from playwright.async_api import Page

_WAIT_S = 1.0
_SCROLL_PX = 10_000
_POINTS = 200
_BUTTONS: Mapping[str, Any] = {"left": "left", "right": "right", "wheel": "middle"}
#: Names of keys as models write them, in lower case → as Playwright has them.
_KEYS = {
    "alt": "Alt", "option": "Alt", "arrowdown": "ArrowDown", "down": "ArrowDown", "arrowleft": "ArrowLeft",
    "left": "ArrowLeft", "arrowright": "ArrowRight", "right": "ArrowRight", "arrowup": "ArrowUp", "up": "ArrowUp",
    "backspace": "Backspace", "capslock": "CapsLock", "cmd": "Meta", "command": "Meta", "meta": "Meta",
    "super": "Meta", "win": "Meta", "ctrl": "Control", "control": "Control", "del": "Delete", "delete": "Delete",
    "end": "End", "enter": "Enter", "return": "Enter", "esc": "Escape", "escape": "Escape", "home": "Home",
    "insert": "Insert", "pagedown": "PageDown", "page_down": "PageDown", "pageup": "PageUp", "page_up": "PageUp",
    "shift": "Shift", "space": " ", "spacebar": " ", "tab": "Tab", "plus": "+",
}  # fmt: skip


async def done(page: "Page", action: Json) -> None:
    """Raises `ToolFailed`, and what Playwright raises."""
    given = {name: value for name, value in action.items() if value is not None}
    kind = given.get("type")
    act = _ACTIONS.get(kind) if isinstance(kind, str) else None
    if act is None:
        raise ToolFailed(f"There is no action {str(kind)[:50]!r}; {', '.join(_ACTIONS)} are.")
    async with _held(page, _keys(given)):
        await act(page, given)


async def _click(page: "Page", action: Json) -> None:
    button = action.get("button") or "left"
    if button == "back":
        await page.go_back(wait_until="domcontentloaded")
    elif button == "forward":
        await page.go_forward(wait_until="domcontentloaded")
    elif button in _BUTTONS:
        await page.mouse.click(*_point(page, action), button=_BUTTONS[button])
    else:
        raise ToolFailed("`button` must be left, right, wheel, back or forward.")


async def _double_click(page: "Page", action: Json) -> None:
    await page.mouse.dblclick(*_point(page, action))


async def _move(page: "Page", action: Json) -> None:
    await page.mouse.move(*_point(page, action))


async def _drag(page: "Page", action: Json) -> None:
    given: Any = action.get("path")
    if not isinstance(given, list) or len(cast(list[Any], given)) < 2:
        raise ToolFailed("`path` must be a list of two or more points with `x` and `y`.")
    first, *others = [_point(page, point) for point in cast(list[Any], given)[:_POINTS]]
    await page.mouse.move(*first)
    await page.mouse.down()
    try:
        for point in others:
            await page.mouse.move(*point, steps=5)
    finally:
        await page.mouse.up()


async def _keypress(page: "Page", action: Json) -> None:
    """All of them are down by now."""
    if not _keys(action):
        raise ToolFailed("`keys` must not be empty.")


async def _type(page: "Page", action: Json) -> None:
    await page.keyboard.type(text(action, "text"))


async def _scroll(page: "Page", action: Json) -> None:
    if "x" in action and "y" in action:
        await page.mouse.move(*_point(page, action))
    await page.mouse.wheel(number(action, "scroll_x", 0, _SCROLL_PX), number(action, "scroll_y", 0, _SCROLL_PX))


async def _screenshot(page: "Page", action: Json) -> None:
    """One is taken after all actions."""


async def _wait(page: "Page", action: Json) -> None:
    await asyncio.sleep(_WAIT_S)


_ACTIONS: "Mapping[str, Callable[[Page, Json], Awaitable[None]]]" = {
    "click": _click,
    "double_click": _double_click,
    "drag": _drag,
    "keypress": _keypress,
    "move": _move,
    "screenshot": _screenshot,
    "scroll": _scroll,
    "type": _type,
    "wait": _wait,
}


@asynccontextmanager
async def _held(page: "Page", keys: Sequence[str]) -> AsyncGenerator[None]:
    """Keys that are down meanwhile: none stays so, also when one of them does not exist."""
    from playwright.async_api import Error

    try:
        for key in keys:
            await page.keyboard.down(key)
        yield
    finally:
        for key in reversed(keys):
            with suppress(Error):
                await page.keyboard.up(key)


def _keys(action: Json) -> list[str]:
    """Also `CTRL+A` in one."""
    given: Any = action.get("keys") or []
    listed = cast(list[Any], given) if isinstance(given, list) else [given]
    if not all(isinstance(key, str) for key in listed):
        raise ToolFailed("`keys` must be a list of names of keys.")
    parts = [part for key in cast(list[str], listed) for part in (key.split("+") if len(key) > 1 else [key]) if part]
    return [_KEYS.get(part.lower(), part if len(part) == 1 else part[:1].upper() + part[1:].lower()) for part in parts]


def _point(page: "Page", given: Any) -> tuple[float, float]:
    """Raises `ToolFailed` when it is not on the screen."""
    point: Json = cast(Json, given) if isinstance(given, dict) else {}
    if isinstance(given, list) and len(cast(list[Any], given)) == 2:
        point = dict(zip(("x", "y"), cast(list[Any], given), strict=True))
    x, y = (number(point, name, -1, 1e6) for name in ("x", "y"))
    size = page.viewport_size
    width, height = (size["width"], size["height"]) if size else (0, 0)
    if not (0 <= x < width and 0 <= y < height):
        raise ToolFailed(f"`x` and `y` must be on the screen, which is {width}x{height}.")
    return x, y
