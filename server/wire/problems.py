"""What is wrong with a request, in OpenAI's words: code, message, and a `param` path such as `input[3].content`.

Source: CONTRACT of the Responses API, "Validation codes".
"""

from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from graph.errors import Json, RequestError

T = TypeVar("T")

_NAMES = {
    "string_type": "a string", "int_type": "an integer", "int_from_float": "an integer", "float_type": "a number",
    "bool_type": "a boolean", "dict_type": "an object", "list_type": "an array", "model_type": "an object",
    "model_attributes_type": "an object", "none_required": "null",
}  # fmt: skip
_SHOWN = 100


def custom(code: str, message: str) -> PydanticCustomError:
    """An error of our own, raised inside a validator."""
    return PydanticCustomError(code, "{message}", {"message": message})  # pyright: ignore[reportArgumentType]


def read(adapter: TypeAdapter[T], value: Any, at: str = "") -> T:
    """Validate. Raises `RequestError` for the first problem that names a place; `at` is where `value` stands."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False), value, at) from None


def _refusal(errors: list[ErrorDetails], value: Any, at: str) -> RequestError:
    # Of a union, the alternative that got furthest is the one that was meant.
    problem = max(errors, key=lambda error: (len(_path(error["loc"], value)), error["type"] != "string_type"))
    steps = _path(problem["loc"], value)
    if problem["type"] == "union_tag_invalid":
        steps.append("type")
    param = _join(at, steps)
    code, message = _said(problem, param, _at(value, steps))
    return RequestError(message, param=param or None, code=code)


def _said(problem: ErrorDetails, param: str, found: Any) -> tuple[str, str]:
    """(code, message)"""
    kind, context = problem["type"], problem.get("ctx") or {}
    if kind in _NAMES:
        return "invalid_type", f"Invalid type for '{param}': expected {_NAMES[kind]}, but got {_kind(found)} instead."
    match kind:
        case "missing":
            return "missing_required_parameter", f"Missing required parameter: '{param}'."
        case "extra_forbidden":
            return "unknown_parameter", f"Unknown parameter: '{param}'."
        case "literal_error" | "union_tag_invalid":
            values = _values(context.get("expected") or context["expected_tags"])
            return "invalid_value", f"Invalid value: {_show(found)}. Supported values are: {values}."
        case "union_tag_not_found":
            return "invalid_type", f"Invalid type for '{param}': expected an object with a 'type'."
        case "greater_than_equal" | "less_than_equal" | "string_too_long" | "too_long":
            return _out_of_range(kind, context, param, found)
        case _:
            code = kind if "message" in context else "invalid_value"
            return code, f"Invalid '{param}': {context.get('message', problem['msg']).rstrip('.')}."


def _out_of_range(kind: str, context: Json, param: str, found: Any) -> tuple[str, str]:
    if kind.endswith("too_long"):
        what, limit = ("string" if kind == "string_too_long" else "array"), context["max_length"]
        return f"{what}_above_max_length", f"Invalid '{param}': {what} too long. Expected a maximum length of {limit}."
    below = kind == "greater_than_equal"
    sign, limit = (">=", context["ge"]) if below else ("<=", context["le"])
    number = "integer" if isinstance(limit, int) else "decimal"
    side = "below_min" if below else "above_max"
    words = "below minimum" if below else "above maximum"
    text = f"Invalid '{param}': {number} {words} value. Expected a value {sign} {limit:g}, but got {found} instead."
    return f"{number}_{side}_value", text


def _path(loc: tuple[int | str, ...], value: Any) -> list[int | str]:
    """The steps of `loc` that lead through the value; tags of unions, which pydantic puts between, are left out."""
    steps: list[int | str] = []
    for index, step in enumerate(loc):
        tagged = index > 0 and loc[index - 1] == step  # a field may be called as the tag that stands before it
        if _leads_on(value, step, tagged=tagged):
            value = value[step]
        elif not (index == len(loc) - 1 and _is_missing(value, step)):
            continue
        steps.append(step)
    return steps


def _leads_on(value: Any, step: int | str, *, tagged: bool = False) -> bool:
    """Whether `step` is a key or index of `value`, and not the tag by which its type was chosen, which may be
    behind us (`tagged`)."""
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return isinstance(value, dict) and step in value and (tagged or step != cast(Json, value).get("type"))


def _is_missing(value: Any, step: int | str) -> bool:
    """Whether it is a field that the value does not have, and not the tag by which its type was chosen."""
    return isinstance(value, dict) and cast(Json, value).get("type") != step and _is_field(step)


def _is_field(step: int | str) -> bool:
    """Names of fields are plain; pydantic's names of types have capitals or brackets."""
    return isinstance(step, str) and step.islower() and "[" not in step


def _at(value: Any, steps: list[int | str]) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _join(at: str, steps: list[int | str]) -> str:
    path = at
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _kind(found: Any) -> str:
    names: dict[Any, str] = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
    }
    return "null" if found is None else names.get(type(found), "something else")


def _show(found: Any) -> str:
    return f"'{str(found)[:_SHOWN]}'"


def _values(expected: str) -> str:
    return expected.replace(" or ", ", ")
