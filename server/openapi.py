"""Bodies that are parsed by hand, for the OpenAPI document."""

from typing import Any, cast

from pydantic import BaseModel


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an endpoint whose JSON body is `model`; definitions stand beside it."""
    schema = _schema(model)
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


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
