"""Fields of hosted calls that only who asks for them is shown.

Source: CONTRACT of the Responses API, "`include`".
"""

from collections.abc import Collection

from graph.errors import Json
from graph.state import Entry, Item


def included(kind: str, held: Json, include: Collection[str]) -> Json:
    """The fields of an item of this type as a caller is shown them who asked for `include`."""
    return {key: value if f"{kind}.{key}" in include else None for key, value in held.items()}


def revealed(entry: Entry, include: Collection[str]) -> Item:
    """The item with what else is asked for; what it shows already it goes on showing."""
    item, held = entry["item"], entry.get("held")
    if not held or not include:
        return item
    return item | {key: value for key, value in included(item["type"], held, include).items() if value is not None}
