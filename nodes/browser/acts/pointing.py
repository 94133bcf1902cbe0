"""Clicks, and what else is done with a pointer."""

from graph.errors import Json, ToolFailed
from nodes.browser.acts.arguments import element, flag, number, pointing, taking, text, texts
from nodes.browser.port import Act, Done, Tab

_BUTTONS = ("left", "right", "middle")
_STEP_PX, _MOST_PX = 600, 20_000
_WAYS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


async def _click(tab: Tab, arguments: Json) -> Done:
    button = arguments.get("button") or "left"
    if button not in _BUTTONS:
        raise ToolFailed("`button` must be left, right or middle.")
    place = await element(tab, arguments.get("ref"))
    await (place.dblclick(button=button) if flag(arguments, "doubleClick") else place.click(button=button))
    return Done()


async def _hover(tab: Tab, arguments: Json) -> Done:
    await (await element(tab, arguments.get("ref"))).hover()
    return Done()


async def _scroll(tab: Tab, arguments: Json) -> Done:
    if arguments.get("ref"):
        await (await element(tab, arguments.get("ref"))).scroll_into_view_if_needed()
        return Done()
    across, down = _WAYS.get(text(arguments, "direction").lower(), (0, 0))
    if not (across or down):
        raise ToolFailed("`direction` must be up, down, left or right.")
    amount = number(arguments, "amount", _STEP_PX, _MOST_PX)
    await tab.page.mouse.wheel(across * amount, down * amount)
    return Done()


async def _select(tab: Tab, arguments: Json) -> Done:
    await (await element(tab, arguments.get("ref"))).select_option(texts(arguments, "values"))
    return Done()


POINTING = (
    Act(
        "browser_click",
        "Click an element.",
        pointing(
            ("button", "doubleClick"),
            button={"type": "string", "enum": list(_BUTTONS)},
            doubleClick={"type": "boolean"},
        ),
        _click,
    ),
    Act("browser_hover", "Move the pointer over an element.", pointing(), _hover),
    Act(
        "browser_select_option",
        "Choose one or several options of a list.",
        pointing(values={"type": "array", "items": {"type": "string"}, "description": "Their labels or values."}),
        _select,
    ),
    Act(
        "browser_scroll",
        "Scroll the page, for what is loaded only then, or until an element (`ref`) is in view.",
        taking(
            ("direction", "amount", "ref"),
            direction={"type": "string", "enum": list(_WAYS)},
            amount={"type": "integer", "description": "Pixels."},
            ref={"type": "string"},
        ),
        _scroll,
    ),
)
