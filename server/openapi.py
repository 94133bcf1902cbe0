"""Bodies that are parsed by hand, for the OpenAPI document."""

from typing import Any, cast

from pydantic import BaseModel

#: What a page of a list is asked with.
LIST = ("limit", "order", "after")
_PARAMETERS: dict[str, dict[str, Any]] = {
    "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
    "order": {"schema": {"type": "string", "enum": ["asc", "desc"], "default": "desc"}},
    "after": {"description": "The id of the last item seen.", "schema": {"type": "string"}},
    "include[]": {"description": "Fields to show beside.", "schema": {"type": "array", "items": {"type": "string"}}},
    "stream": {"description": "Read the events.", "schema": {"type": "boolean", "default": False}},
    "starting_after": {"description": "The number of the last event seen.", "schema": {"type": "integer"}},
    "name": {"description": "Only those of this name.", "schema": {"type": "string"}},
    "before": {"description": "The id before which the page ends.", "schema": {"type": "string"}},
    "filter": {"schema": {"type": "string", "enum": ["in_progress", "completed", "failed", "cancelled"]}},
    "purpose": {"schema": {"type": "string"}},
    "status": {"schema": {"type": "string", "enum": ["pending", "approved", "denied"], "default": "pending"}},
    "Idempotency-Key": {
        "in": "header", "description": "The same key once more gives the same response.", "schema": {"type": "string"}
    },
}  # fmt: skip


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an endpoint whose JSON body is `model`; definitions stand beside it."""
    schema = _schema(model)
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def takes_form(file: str, *fields: str) -> dict[str, Any]:
    """`openapi_extra` of an endpoint that takes a form with a file."""
    shapes: dict[str, Any] = {file: {"type": "string", "format": "binary"}, **{f: {"type": "string"} for f in fields}}
    schema = {"type": "object", "properties": shapes, "required": [file, *fields]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def asks(*names: str) -> dict[str, Any]:
    """`openapi_extra` of an endpoint that reads these from the query, or from headers."""
    return {"parameters": [{"name": name, "in": "query", **_PARAMETERS[name]} for name in names]}


def definitions(*models: type[BaseModel]) -> dict[str, Any]:
    """What the schemas of `takes` refer to, for `components.schemas`."""
    found: dict[str, Any] = {}
    for model in models:
        found |= _schema(model).get("$defs", {})
    return found


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return _overlapping(model.model_json_schema(ref_template="#/components/schemas/{model}"))


def _overlapping(schema: Any) -> Any:
    """`anyOf` for `oneOf`: models are open to further fields, so that a value may fit several."""
    if isinstance(schema, dict):
        named = cast(dict[str, Any], schema)
        return {"anyOf" if key == "oneOf" else key: _overlapping(value) for key, value in named.items()}
    if isinstance(schema, list):
        return [_overlapping(entry) for entry in cast(list[Any], schema)]
    return schema
