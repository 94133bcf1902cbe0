"""Arguments as models write them: forgiving where what is meant is plain."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from graph.errors import Json, ToolFailed
from nodes.browser.port import Tab

if TYPE_CHECKING:
    from playwright.async_api import Locator

_REF = re.compile(r"(?:\[?ref=)?((?:f\d+)?e\d+)\]?")
_REF_SAID: Json = {"type": "string", "description": "Reference of the element in the page, such as e12."}
_ELEMENT: Json = {"type": "string", "description": "What the element is, in words a person understands."}


def taking(optional: Sequence[str] = (), **properties: Json) -> Json:
    """The schema of an act: an object of `properties`, all required but the `optional`."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def pointing(optional: Sequence[str] = (), **properties: Json) -> Json:
    """`taking` an element of the page, too."""
    return taking(("element", *optional), element=_ELEMENT, ref=_REF_SAID, **properties)


def ref(given: object) -> str:
    """Raises `ToolFailed`."""
    found = _REF.fullmatch(given.strip()) if isinstance(given, str) else None
    if not found:
        raise ToolFailed("`ref` must be a reference of the page, such as e12.")
    return found[1]


async def element(tab: Tab, given: object) -> "Locator":
    """What a reference means. Raises `ToolFailed`, at once when it means nothing any more."""
    named = ref(given)
    place = tab.page.locator(f"aria-ref={named}")
    if not await place.count():
        raise ToolFailed(f"There is no element {named} any more: take a new snapshot.")
    return place


def text(arguments: Json, name: str, *, empty: bool = False) -> str:
    """Raises `ToolFailed`."""
    given = arguments.get(name)
    if isinstance(given, bool | int | float):
        given = str(given)
    if not isinstance(given, str) or not (given or empty):
        raise ToolFailed(f"`{name}` must be a string{'' if empty else ' that is not empty'}.")
    return given


def flag(arguments: Json, name: str) -> bool:
    return str(arguments.get(name)).lower() == "true"


def number(arguments: Json, name: str, default: float, most: float) -> float:
    """Raises `ToolFailed`."""
    try:
        found = float(arguments.get(name, default))
    except (TypeError, ValueError):
        raise ToolFailed(f"`{name}` must be a number.") from None
    return min(max(found, -most), most) if found == found else default  # not a NaN


def texts(arguments: Json, name: str) -> list[str]:
    """Also one alone. Raises `ToolFailed`."""
    given: Any = arguments.get(name)
    listed = cast(list[Any], given) if isinstance(given, list) else [given]
    if not listed or not all(isinstance(one, str) for one in listed):
        raise ToolFailed(f"`{name}` must be a list of strings.")
    return listed
