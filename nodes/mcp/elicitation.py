"""A server asks for values while a call runs: it is declined, unless whoever approved the call gave some that fit."""

from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from mcp import types

from graph.errors import Json
from nodes.mcp.attending import Attendant

#: What is checked of a property; nothing a server writes is compiled or followed.
#: Source: MCP specification 2025-11-25, "Elicitation", "Requested Schema".
_PLAIN = ("type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")
_TYPES = ("string", "number", "integer", "boolean", "array")
_DECLINED = types.ElicitResult(action="decline")


def elicited(attendant: Attendant | None, params: types.ElicitRequestParams) -> types.ElicitResult:
    """Those values that fit, once; nobody is here to be asked, or to be sent to a URL."""
    if attendant is None or not attendant.values or not isinstance(params, types.ElicitRequestFormParams):
        return _DECLINED
    fitting = fitting_of(params.requestedSchema, attendant.values)
    if not fitting:
        return _DECLINED
    attendant.values = None
    return types.ElicitResult(action="accept", content=fitting)


def fitting_of(schema: Json, values: Json) -> dict[str, Any]:
    """Those of the values that a server asks for, as it wants them; none where one that it requires is missing."""
    properties, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    asked = cast(Json, properties)
    fitting = {name: value for name, value in values.items() if name in asked and _fits(asked[name], value)}
    missing = [name for name in cast(list[Any], required) if name not in list(fitting)]
    return {} if missing else fitting


def _fits(property: Any, value: Any) -> bool:
    plain = _plain(property)
    try:
        Draft202012Validator.check_schema(plain)
    except SchemaError:
        return False
    return plain.get("type") in _TYPES and Draft202012Validator(plain).is_valid(value)


def _plain(property: Any) -> Json:
    """Without anything that could be costly."""
    if not isinstance(property, dict):
        return {}
    given = cast(Json, property)
    plain: Json = {key: given[key] for key in _PLAIN if key in given}
    for titled in ("oneOf", "anyOf"):
        if isinstance(choices := given.get(titled), list):
            plain["enum"] = [cast(Json, one).get("const") for one in cast(list[Any], choices) if isinstance(one, dict)]
    if plain.get("type") == "array":
        items = _plain(given.get("items"))
        plain["items"] = {"type": "string"} | ({"enum": items["enum"]} if "enum" in items else {})
    return plain
