"""What a model is told when an act has failed: one line, in words it can act on."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Error

_PREFIX = re.compile(r"^(?:\w+\.\w+: )?(?:Error: )?")
_NET = re.compile(r"net::(ERR_\w+)")
_MOST_CHARS = 300
_NEW = "take a new snapshot"
#: What is in Playwright's message → what is said; the first counts.
_WORDS = (
    ("strict mode violation", f"The reference means several elements: {_NEW}."),
    ("intercepts pointer events", "Another element covers it: close what is in front, or scroll."),
    ("element is not visible", "The element is not visible."),
    ("element is not enabled", "The element is disabled."),
    ("element is not editable", "The element cannot be edited."),
    ("did not find some options", "There is no such option in the list."),
    ("is not a <select> element", "The element is no list of options."),
    ("Element is not an <input>", "Nothing can be typed into the element."),
    ("Cannot type text into input", "Such a text cannot be typed into the field."),
    ("Not a checkbox or radio", "The element is neither a checkbox nor a radio button."),
    ("Unknown key", "There is no such key; Enter, ArrowDown, a and Control+a are."),
    ("ERR_TUNNEL_CONNECTION_FAILED", "The page cannot be reached, or is not on the public internet."),
    ("ERR_ABORTED", "The page did not open: it was left at once."),
    ("interrupted by another navigation", "The page led elsewhere while it was opened."),
    ("has been closed", f"The page was closed meanwhile: {_NEW}."),
    ("Cannot navigate to invalid URL", "`url` is no URL."),
)


def words(error: "Error") -> str:
    said = error.message
    for piece, told in _WORDS:
        if piece in said:
            return told
    if net := _NET.search(said):
        return f"The page cannot be opened: {net[1]}."
    if "Timeout" in said:
        return f"It did not come to pass in time; {_NEW} to see how things are."
    first, *_ = [*said.splitlines(), ""]
    return _PREFIX.sub("", first)[:_MOST_CHARS] or "The step failed."
