"""The input schema of a tool, if a model server can be burdened with it."""

from typing import Any, cast

import orjson

from graph.errors import Json
from graph.shape import schema_problem
from nodes.mcp.limits import Limits
from nodes.mcp.visible import has_hidden, visible

#: Keywords whose schemas say something of the same value; the others lead further down.
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
_SPOKEN = frozenset({"title", "description", "$comment"})
#: What is read in the time in which a part of a schema is checked.
_PART_BYTES = 200
#: References that stand in one another.
_CHAIN = 50


class Unfit(Exception):
    """Why a schema is not passed on, in words for the model."""


class Room:
    """What all tools of one server may take up together: bytes, or parts that take as long to check."""

    def __init__(self, limit_bytes: int) -> None:
        self.left_bytes = limit_bytes

    def take(self, size_bytes: int, parts: int = 0) -> None:
        """Raises `NoRoom`."""
        self.left_bytes -= max(size_bytes, parts * _PART_BYTES)
        if self.left_bytes < 0:
            raise NoRoom


class NoRoom(Exception):
    """The tools of a server are too large."""


def fit(schema: Any, limits: Limits, room: Room) -> Json:
    """`schema`, its texts free of what cannot be seen. Raises `Unfit`, `NoRoom`."""
    if not isinstance(schema, dict):
        raise Unfit("it is not an object")
    _check_size(schema, limits, room)
    fitting = _spoken(cast(Json, {"type": "object", **schema}))
    if fitting["type"] != "object":
        raise Unfit("it does not describe an object")
    _Expansion(fitting, limits.schema_nodes).check()
    if problem := schema_problem(fitting):
        raise Unfit(problem.rstrip("."))
    return fitting


def _check_size(schema: Any, limits: Limits, room: Room) -> None:
    level: list[Any] = [schema]
    parts = 0
    for _ in range(limits.schema_depth):
        level = [inner for value in level for inner in _inside(value) if isinstance(inner, dict | list)]
        parts += len(level)
        if not level:
            break
    else:
        raise Unfit(f"it is more than {limits.schema_depth} levels deep")
    if (size := len(orjson.dumps(schema))) > limits.schema_bytes:
        raise Unfit(f"it has {size} bytes, and {limits.schema_bytes} are taken")
    room.take(size, parts)


def _inside(value: Any) -> list[Any]:
    return list(cast(Json, value).values()) if isinstance(value, dict) else cast(list[Any], value)


def _spoken(value: Any, name: str = "") -> Any:
    """What is only read by people and models is cleaned; what is compared has to be as it is."""
    if isinstance(value, dict):
        return {_exact(key): _spoken(inner, key) for key, inner in cast(Json, value).items()}
    if isinstance(value, list):
        return [_spoken(inner) for inner in cast(list[Any], value)]
    if isinstance(value, str):
        return visible(value) if name in _SPOKEN else _exact(value)
    return value


def _exact(text: str) -> str:
    if has_hidden(text):
        raise Unfit("it holds characters that cannot be seen")
    return text


class _Expansion:
    """What a schema would be with every `$ref` replaced by what it names, as some model servers do."""

    def __init__(self, schema: Json, limit_nodes: int) -> None:
        self._schema = schema
        self._limit = limit_nodes
        self._sizes: dict[str, int] = {}
        #: References that are being followed, and the level at which each was met.
        self._open: dict[str, int] = {}

    def check(self) -> None:
        """Raises `Unfit`."""
        self._size(self._schema, 0)

    def _size(self, value: Any, level: int) -> int:
        size = 1
        if isinstance(value, dict):
            for key, inner in cast(Json, value).items():
                is_reference = key == "$ref" and isinstance(inner, str)
                size += self._named(inner, level) if is_reference else self._size(inner, level + (key not in _IN_PLACE))
        elif isinstance(value, list):
            size += sum(self._size(inner, level) for inner in cast(list[Any], value))
        if size > self._limit:
            raise Unfit(f"it has more than {self._limit} parts once its references are followed")
        return size

    def _named(self, reference: str, level: int) -> int:
        """A reference to what it stands in counts for one; without a level in between it never ends."""
        if reference in self._open:
            if self._open[reference] == level:
                raise Unfit("a '$ref' in it leads to itself")
            return 1
        if reference not in self._sizes:
            if len(self._open) >= _CHAIN:
                raise Unfit(f"more than {_CHAIN} references in it stand in one another")
            self._open[reference] = level
            self._sizes[reference] = self._size(self._target(reference), level)
            del self._open[reference]
        return self._sizes[reference]

    def _target(self, reference: str) -> Any:
        """Nothing, where it is no path within the schema: whether it leads anywhere is checked elsewhere."""
        at: Any = self._schema
        steps = reference.removeprefix("#/").split("/") if reference.startswith("#/") else []
        for step in steps:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(at, list):
                at = dict(enumerate(cast(list[Any], at))).get(int(step) if step.isdecimal() and len(step) < 7 else -1)
            else:
                at = cast(Json, at).get(step) if isinstance(at, dict) else None
        return at if steps or reference == "#" else None
