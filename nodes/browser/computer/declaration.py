"""A `computer` that runs here, as callers declare it: ours is a browser.

Source: CONTRACT of the Responses API, "computer"; `executor` is an extension of ours.
"""

from typing import Any, NamedTuple

from graph.errors import Json, RequestError

PREVIEW = "computer_use_preview"
_LEAST, _MOST = 100, 4096


class Screen(NamedTuple):
    width: int = 1280
    height: int = 800


def checked(tool: Json, param: str) -> Json:
    """The declaration as it is echoed. Raises `RequestError` at or below `param`."""
    if tool.get("environment") != "browser" and (tool["type"] == PREVIEW or tool.get("environment") is not None):
        where = f"{param}.environment"
        message = f"Invalid value: {str(tool.get('environment'))[:50]!r}. What the server executes is 'browser'."
        raise RequestError(message, param=where, code="invalid_value")
    size = screen(tool, param)
    echo: Json = {"type": tool["type"], "executor": "server", "environment": "browser"}
    return {**echo, "display_width": size.width, "display_height": size.height}


def screen(tool: Json, param: str) -> Screen:
    """Raises `RequestError`."""
    usual, wanted = Screen(), tool["type"] == PREVIEW
    return Screen(*(_side(tool, name, usual[at], param, wanted=wanted) for at, name in enumerate(_SIDES)))


_SIDES = ("display_width", "display_height")


def _side(tool: Json, name: str, usual: int, param: str, *, wanted: bool) -> int:
    value: Any = tool.get(name)
    where = f"{param}.{name}"
    if value is None and wanted:
        raise RequestError(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    if value is None:
        return usual
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestError(f"Invalid type for '{where}': expected an integer.", param=where, code="invalid_type")
    if not _LEAST <= value <= _MOST:
        message = f"Invalid '{where}': expected {_LEAST} to {_MOST} pixels."
        raise RequestError(message, param=where, code="invalid_value")
    return value
