"""What is done with a keyboard: texts, keys and forms."""

from typing import TYPE_CHECKING, Any, cast

from graph.errors import Json, ToolFailed
from nodes.browser.acts.arguments import element, flag, pointing, taking, text
from nodes.browser.port import Act, Done, Tab

if TYPE_CHECKING:
    from playwright.async_api import Locator

_KIND = "e => e.tagName === 'SELECT' ? 'select' : ['checkbox', 'radio'].includes(e.type) ? 'check' : 'text'"
_ROLE_KIND = "e => ['checkbox', 'radio', 'switch'].includes(e.getAttribute('role')) ? 'check' : ''"
_SLOWLY_MS = 20
_FIELDS, _SLOW_CHARS = 50, 500


async def _type(tab: Tab, arguments: Json) -> Done:
    place, typed = await element(tab, arguments.get("ref")), text(arguments, "text", empty=True)
    if flag(arguments, "slowly"):
        await place.fill("")
        await place.press_sequentially(typed[:_SLOW_CHARS], delay=_SLOWLY_MS)
    else:
        await place.fill(typed)
    if flag(arguments, "submit"):
        await place.press("Enter")
    return Done()


async def _press(tab: Tab, arguments: Json) -> Done:
    await tab.page.keyboard.press(text(arguments, "key"))
    return Done()


async def _fill(tab: Tab, arguments: Json) -> Done:
    given: Any = arguments.get("fields")
    if not isinstance(given, list) or not given:
        raise ToolFailed("`fields` must be a list of objects with `ref` and `value`.")
    for at, field in enumerate(cast(list[Any], given)[:_FIELDS]):
        if not isinstance(field, dict):
            raise ToolFailed(f"`fields[{at}]` must be an object with `ref` and `value`.")
        place = await element(tab, cast(Json, field).get("ref"))
        await _set(place, text(cast(Json, field), "value", empty=True))
    return Done()


async def _set(place: "Locator", value: str) -> None:
    kind = await place.evaluate(_ROLE_KIND) or await place.evaluate(_KIND)
    if kind == "check":
        await place.set_checked(value.lower() in ("true", "on", "yes", "1", "checked"))
    elif kind == "select":
        await place.select_option(value)
    else:
        await place.fill(value)


TYPING = (
    Act(
        "browser_type",
        "Type a text into a field, in place of what is there.",
        pointing(
            ("submit", "slowly"),
            text={"type": "string"},
            submit={"type": "boolean", "description": "Press Enter afterwards."},
            slowly={"type": "boolean", "description": "Key by key, for pages that act on each key."},
        ),
        _type,
    ),
    Act(
        "browser_fill_form",
        "Fill in several fields of a form at once.",
        taking(
            fields={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "description": "What the field is called."},
                        "ref": {"type": "string"},
                        "value": {"type": "string", "description": "Text, label of an option, or true or false."},
                    },
                    "required": ["ref", "value"],
                },
            }
        ),
        _fill,
    ),
    Act(
        "browser_press_key",
        "Press a key, or several at once: Enter, ArrowDown, a, Control+a.",
        taking(key={"type": "string"}),
        _press,
    ),
)
