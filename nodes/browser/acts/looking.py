"""What there is to be seen, in words and as a picture."""

from graph.errors import Json, ToolFailed
from nodes.browser.acts.arguments import element, flag, ref, taking, text
from nodes.browser.port import Act, Done, Tab
from nodes.browser.telling import found, line_of, seen

#: Of the picture of a whole page.
_TALLEST_PX = 4000
_PICTURE_BYTES = 4 << 20
_QUALITY = 75
_LINE: Json = {"type": "integer", "description": "The first line to read; needed for long pages only."}


async def _snapshot(tab: Tab, arguments: Json) -> Done:
    beneath = ref(arguments["ref"]) if arguments.get("ref") else ""
    if beneath:
        await element(tab, beneath)
    return Done(await seen(tab.page, first=line_of(arguments.get("line")), ref=beneath), looks=False)


async def _find(tab: Tab, arguments: Json) -> Done:
    return Done(await found(tab.page, text(arguments, "text")), looks=False)


async def _screenshot(tab: Tab, arguments: Json) -> Done:
    if arguments.get("ref"):
        picture = await (await element(tab, arguments.get("ref"))).screenshot(type="jpeg", quality=_QUALITY)
    elif flag(arguments, "fullPage"):
        size = await tab.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": min(max(1, size[0]), _TALLEST_PX), "height": min(max(1, size[1]), _TALLEST_PX)}
        picture = await tab.page.screenshot(type="jpeg", quality=_QUALITY, full_page=True, clip=clip)  # pyright: ignore[reportArgumentType]
    else:
        picture = await tab.page.screenshot(type="jpeg", quality=_QUALITY)
    if len(picture) > _PICTURE_BYTES:
        raise ToolFailed("The picture is too large; take one of an element, or of what is in view.")
    return Done("This is how it looks.", looks=False, picture=picture)


LOOKING = (
    Act(
        "browser_snapshot",
        "Read the page in front: roles, names and texts, with the references that other functions take.",
        taking(
            ("ref", "line"),
            ref={"type": "string", "description": "Only what is beneath this element."},
            line=_LINE,
        ),
        _snapshot,
        read_only=True,
    ),
    Act(
        "browser_find",
        "Find a text in the page in front, with its surroundings and references; for long pages.",
        taking(text={"type": "string"}),
        _find,
        read_only=True,
    ),
    Act(
        "browser_take_screenshot",
        "See a picture of what is in view, of the whole page, or of one element.",
        taking(
            ("fullPage", "ref"),
            fullPage={"type": "boolean"},
            ref={"type": "string"},
        ),
        _screenshot,
        read_only=True,
    ),
)
