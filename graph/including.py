"""Fields of hosted calls that only who asks for them is shown.

Source: CONTRACT of the Responses API, "`include`".
"""

from collections.abc import Collection

from graph.errors import Json
from graph.state import Entry, Item


def included(kind: str, shown: Json, held: Json, include: Collection[str]) -> Json:
    """`shown` and the fields of an item of this type as a caller is shown them who asked for `include`.

    A field within another (`action.sources`) is there only for who asks; others are null.
    """
    fields = dict(shown)
    for name, value in held.items():
        asked = f"{kind}.{name}" in include
        outer, _, inner = name.rpartition(".")
        if not outer:
            fields[name] = value if asked else None
        elif asked:
            fields[outer] = {**fields[outer], inner: value}
    return fields


def revealed(entry: Entry, include: Collection[str]) -> Item:
    """The item with what else is asked for; what it shows already it goes on showing."""
    item, held = entry["item"], entry.get("held")
    if not held or not include:
        return item
    asked = {name: value for name, value in held.items() if f"{item['type']}.{name}" in include}
    return included(item["type"], item, asked, include)
