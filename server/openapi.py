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
    "model": {"description": "Only those of this model.", "schema": {"type": "string"}},
    "tool": {"description": "Only those with an output item of this type.", "schema": {"type": "string"}},
    "created_after": {"description": "Unix seconds.", "schema": {"type": "integer"}},
    "created_before": {"description": "Unix seconds.", "schema": {"type": "integer"}},
    "Idempotency-Key": {
        "in": "header", "description": "The same key once more gives the same response.", "schema": {"type": "string"}
    },
}  # fmt: skip

#: In place of a body's schema: to make all of them would cost a tenth of the start.
_BODY = "x-body"
_bodies: dict[str, type[BaseModel]] = {}


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an endpoint whose JSON body is `model`: its name, until somebody reads the document."""
    _bodies[model.__name__] = model
    schema = {_BODY: model.__name__}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def takes_form(file: str, *fields: str) -> dict[str, Any]:
    """`openapi_extra` of an endpoint that takes a form with a file."""
    shapes: dict[str, Any] = {file: {"type": "string", "format": "binary"}, **{f: {"type": "string"} for f in fields}}
    schema = {"type": "object", "properties": shapes, "required": [file, *fields]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def asks(*names: str) -> dict[str, Any]:
    """`openapi_extra` of an endpoint that reads these from the query, or from headers."""
    return {"parameters": [{"name": name, "in": "query", **_PARAMETERS[name]} for name in names]}


def written_out(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the schemas of bodies, and what they refer to."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    return _written_out(document, schemas)


def _written_out(value: Any, schemas: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_written_out(entry, schemas) for entry in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    named = cast(dict[str, Any], value)
    if _BODY in named:
        schema = _schema(_bodies[named[_BODY]])
        schemas.update(schema.pop("$defs", {}))
        return schema
    return {key: _written_out(entry, schemas) for key, entry in list(named.items())}


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
