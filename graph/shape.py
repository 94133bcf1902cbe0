"""The JSON an answer has to be: asked for, checked, and described to a model that got it wrong.

Source: CONTRACT of the Responses API, "Structured output".
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import orjson
import regex
from jsonschema.exceptions import SchemaError, ValidationError, best_match  # pyright: ignore[reportUnknownVariableType]
from jsonschema.validators import extend, validator_for  # pyright: ignore[reportUnknownVariableType]
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from graph import pattern
from graph.errors import Json

#: Seconds one `pattern` may take.
_MATCH_S = 0.2


class Shape(NamedTuple):
    """The JSON an answer has to be."""

    format: Json

    @classmethod
    def of(cls, request: Json) -> "Shape | None":
        text: Json = request.get("text") or {}
        shape: Json = text.get("format") or {}
        return cls(shape) if shape.get("type") in ("json_schema", "json_object") else None

    @property
    def schema(self) -> Json:
        return self.format.get("schema") or {"type": "object"}

    def response_format(self) -> Json:
        """As a model server takes it that can enforce it."""
        if self.format["type"] == "json_object":
            return {"type": "json_object"}
        keys = ("name", "description", "schema", "strict")
        return {"type": "json_schema", "json_schema": {key: self.format[key] for key in keys if key in self.format}}

    def instruction(self) -> Json:
        """As a model is asked for it whose server cannot."""
        schema = orjson.dumps(self.schema).decode()
        text = (
            f"Answer with one JSON document and nothing else, no code fence. It must match this JSON Schema:\n{schema}"
        )
        return {"role": "system", "content": text}

    def problem(self, text: str) -> str | None:
        """Why `text` is not of this shape, in words for a model; None if it is."""
        try:
            value: Any = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return f"It is not valid JSON: {error}."
        checked: Any = cast(Any, extend)(validator_for(self.schema), {"pattern": _pattern})
        problems = checked(self.schema, registry=cast(Any, Registry)()).iter_errors(value)
        error = cast(ValidationError | None, best_match(problems))
        return f"At {error.json_path}: {error.message[:500]}." if error else None


def schema_problem(schema: Json) -> str | None:
    """Why a schema is none; None if it is one. References must stay inside it: nothing is fetched."""
    try:
        validator_for(schema).check_schema(schema)
        resource = Resource(schema, DRAFT202012)
        base = resource.id() or ""
        registry: Registry[Any] = Registry()
        resolver = registry.with_resource(base, resource).resolver(base)
        steps = sum(pattern.steps(value) for keyword, value in _strings(schema) if keyword == "pattern")
        if steps > pattern.MOST_STEPS:
            return "its patterns repeat too much."
        for keyword, value in _strings(schema):
            if keyword == "pattern":
                regex.compile(value)
            else:
                resolver.lookup(value)
    except SchemaError as error:
        return f"{error.json_path}: {error.message[:300]}"
    except regex.error as error:
        return f"a 'pattern' in it is no regular expression: {error}."
    except RecursionError:
        return "it, or a 'pattern' in it, is too deep."
    except (Unresolvable, ValueError):
        return "a '$ref' in it leads nowhere inside the schema, and references to elsewhere are not followed."
    return None


def _strings(schema: Any) -> Iterator[tuple[str, str]]:
    """(keyword, value) of what a schema refers to and matches with."""
    if isinstance(schema, dict):
        for key, value in cast(Json, schema).items():
            if key in ("$ref", "$dynamicRef", "pattern") and isinstance(value, str):
                yield key, value
            else:
                yield from _strings(value)
    elif isinstance(schema, list):
        for value in cast(list[Any], schema):
            yield from _strings(value)


def _pattern(_: Any, expression: str, value: Any, __: Any) -> Iterator[ValidationError]:
    """`pattern`, within a time: a caller's expression may be made to take for ever."""
    if not isinstance(value, str):
        return
    try:
        if not regex.search(expression, value, timeout=_MATCH_S):
            yield ValidationError(f"{value!r} does not match {expression!r}")
    except TimeoutError:
        yield ValidationError(f"{expression!r} takes too long to match")


def unfenced(text: str) -> str:
    """JSON without the code fence that models like to put around it."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        stripped = stripped[3:-3].removeprefix("json").strip()
    return stripped
