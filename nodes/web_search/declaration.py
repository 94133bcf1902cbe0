"""A `web_search` tool as callers declare it: what it must say, and how it is echoed.

Source: CONTRACT of the Responses API, "web_search"; openai.types.responses.WebSearchTool.
"""

import re
from typing import Any, cast

from graph.errors import Json, RequestError
from nodes.web_search.domains import Domains

TYPES = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")
_SIZES = ("low", "medium", "high")
_DOMAINS = 100
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_PLACES = ("city", "country", "region", "timezone")


def checked(tool: Json, param: str) -> Json:
    """The declaration with its defaults. Raises `RequestError` at or below `param`."""
    size = tool.get("search_context_size")
    if size is not None and size not in _SIZES:
        names = ", ".join(f"'{name}'" for name in _SIZES)
        message = f"Invalid value: {str(size)[:100]!r}. Supported values are: {names}."
        raise _invalid(message, f"{param}.search_context_size")
    echo: Json = {
        "type": tool["type"],
        "search_context_size": size or "medium",
        "user_location": _location(tool.get("user_location"), f"{param}.user_location"),
    }
    if tool["type"].startswith("web_search_preview"):
        return echo
    filters = tool.get("filters")
    domains(filters, f"{param}.filters")
    return {**echo, "filters": filters, **_access(tool, f"{param}.external_web_access")}


def domains(filters: Any, param: str) -> Domains:
    """Raises `RequestError` at or below `param`."""
    if filters is None:
        return Domains()
    if not isinstance(filters, dict):
        raise _type(param, "an object")
    given = cast(Json, filters)
    return Domains(*(_names(given.get(name), f"{param}.{name}") for name in ("allowed_domains", "blocked_domains")))


def _names(given: Any, param: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise _type(param, "an array")
    names = cast(list[Any], given)
    if len(names) > _DOMAINS:
        raise _invalid(f"Invalid '{param}': expected at most {_DOMAINS} domains.", param)
    for at, name in enumerate(names):
        if not isinstance(name, str):
            raise _type(f"{param}[{at}]", "a string")
        if not _DOMAIN.fullmatch(name.rstrip(".")):
            message = f"Invalid '{param}[{at}]': expected a domain such as 'example.com', without scheme and path."
            raise _invalid(message, f"{param}[{at}]")
    return tuple(name.rstrip(".").lower() for name in names)


def _access(tool: Json, param: str) -> Json:
    given = tool.get("external_web_access")
    if given is None:
        return {}
    if not isinstance(given, bool):
        raise _type(param, "a boolean")
    return {"external_web_access": given}


def _location(given: Any, param: str) -> Json:
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise _type(param, "an object")
    place = cast(Json, given)
    if place.get("type", "approximate") != "approximate":
        raise _invalid(f"Invalid '{param}.type': the supported value is 'approximate'.", f"{param}.type")
    for name in _PLACES:
        if place.get(name) is not None and not isinstance(place[name], str):
            raise _type(f"{param}.{name}", "a string")
    if place.get("country") and not _COUNTRY.fullmatch(place["country"]):
        message = f"Invalid '{param}.country': expected two letters such as 'US'."
        raise _invalid(message, f"{param}.country")
    return {"type": "approximate", **{name: place.get(name) for name in _PLACES}}


def _type(param: str, wanted: str) -> RequestError:
    return RequestError(f"Invalid type for '{param}': expected {wanted}.", param=param, code="invalid_type")


def _invalid(message: str, param: str) -> RequestError:
    return RequestError(message, param=param, code="invalid_value")
