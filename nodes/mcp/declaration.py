"""A `{"type": "mcp", ...}` of a request: what it must say, how it is echoed, what is kept of it.

Source: CONTRACT of the Responses API, "mcp" and "Echo normalisation".
"""

import re
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from graph.errors import Json, RequestError
from nodes.mcp.secret import shown_url
from nodes.mcp.target import Target

_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
#: Headers that belong to the transport.
_RESERVED = re.compile(
    r"host|connection|upgrade|te|trailer|expect|transfer-encoding|content-.*|accept|accept-encoding|mcp-.*|last-event-id",
    re.IGNORECASE,
)
_TARGETS = ("server_url", "connector_id", "tunnel_id")


@dataclass(frozen=True, slots=True)
class Filter:
    """`allowed_tools`: None allows everything."""

    names: frozenset[str] | None = None
    read_only: bool | None = None

    def allows(self, name: str, read_only: bool) -> bool:
        return (self.names is None or name in self.names) and self.read_only in (None, read_only)


@dataclass(frozen=True, slots=True)
class Wish:
    """`require_approval`: the filters of the tools that always need one and of those that never do."""

    always: Filter | None = None
    never: Filter | None = None

    def wanted(self, name: str, read_only: bool) -> bool | None:
        """Whether a tool needs an approval; None where nothing is said. A tool that neither side names needs one."""
        if self.always is None and self.never is None:
            return None
        if self.always and self.always.allows(name, read_only):
            return True
        return not (self.never and self.never.allows(name, read_only))


@dataclass(frozen=True, slots=True)
class Declaration:
    label: str
    target: Target
    allowed: Filter
    approval: Wish = field(default_factory=Wish)
    #: What the operator lets callers use of it at all.
    bound: Filter = field(default_factory=Filter)
    #: What the model is told when it cannot be reached; None: that fails the response.
    fallback: str | None = None
    #: The operator's label for it, if he has configured it.
    known_as: str = ""
    #: What it is there for, as its caller or its operator says.
    description: str | None = None
    #: Whether its tools wait to be found.
    deferred: bool = False
    #: Whether what its tools say is a stranger's: of those that the operator has not configured it always is.
    untrusted: bool = True
    #: The connector id of one within this process; it has no target then.
    embedded: str = ""

    def offers(self, name: str, read_only: bool) -> bool:
        return self.allowed.allows(name, read_only) and self.bound.allows(name, read_only)


def declared(tool: Json, target: Target) -> Declaration:
    """What is kept of a declaration that was checked."""
    return Declaration(
        tool["server_label"], target, filter_of(tool.get("allowed_tools")), wish_of(tool.get("require_approval")),
        deferred=bool(tool.get("defer_loading")), description=tool.get("server_description"),
    )  # fmt: skip


def target_of(tool: Json, owner: str) -> Target:
    """Of one with a URL of its own."""
    headers: dict[str, str] = dict(tool.get("headers") or {})
    if token := tool.get("authorization"):
        headers["Authorization"] = f"Bearer {token}"
    return Target(str(tool["server_url"]), tuple(sorted(headers.items())), owner)


def wish_of(value: Any) -> Wish:
    """Of a `require_approval` that was checked."""
    if isinstance(value, dict):
        sides = cast(Json, value)
        return Wish(_side(sides.get("always")), _side(sides.get("never")) or Filter(frozenset()))
    return {"always": Wish(always=Filter()), "never": Wish(never=Filter())}.get(str(value), Wish())


def _side(value: Any) -> Filter | None:
    """A side that names nothing means nothing."""
    found = filter_of(value)
    return None if found == Filter() else found


def filter_of(value: Any) -> Filter:
    """Of `allowed_tools`, or of a side of `require_approval`."""
    if value is None:
        return Filter()
    if isinstance(value, list):
        return Filter(frozenset(cast(list[str], value)))
    names = cast(Json, value).get("tool_names")
    return Filter(None if names is None else frozenset(cast(list[str], names)), cast(Json, value).get("read_only"))


def echo(tool: Json) -> Json:
    """As `response.tools` shows it: `headers`, `authorization` and secrets in the URL never are."""
    shown = ("server_label", "server_description", "allowed_tools")
    url = tool.get("server_url")
    return {
        "type": "mcp",
        "server_url": shown_url(url) if url else None,
        **{name: tool.get(name) for name in shown},
        **({"connector_id": tool["connector_id"]} if tool.get("connector_id") else {}),
        "headers": None,
        "require_approval": tool.get("require_approval") or "always",
        **({"defer_loading": True} if tool.get("defer_loading") else {}),
    }


def check(tool: Json, param: str) -> None:
    """Raises `RequestError` with a `param` below `param`."""
    _check_label(tool.get("server_label"), f"{param}.server_label")
    _check_target(tool, param)
    _check_text(tool.get("server_description"), f"{param}.server_description")
    _check_filter(tool.get("allowed_tools"), f"{param}.allowed_tools")
    _check_credentials(tool, param)
    _check_approval(tool, f"{param}.require_approval")
    if not isinstance(tool.get("defer_loading"), bool | None):
        raise _wrong_type(f"{param}.defer_loading", "a boolean", tool["defer_loading"])


def _check_label(label: Any, param: str) -> None:
    if label is None:
        raise _missing(param)
    _check_text(label, param)
    if not _LABEL.fullmatch(label):
        message = f"Invalid '{param}': expected a letter, then up to 63 letters, digits, '-' or '_'."
        raise RequestError(message, param=param, code="invalid_value")


def _check_target(tool: Json, param: str) -> None:
    """That at most one is named. Whether what has no URL is known here is for others to say."""
    given = [name for name in _TARGETS if tool.get(name) is not None]
    if len(given) > 1:
        message = f"Mutually exclusive parameters: provide only one of {', '.join(map(repr, given))}."
        raise RequestError(message, param=f"{param}.{given[1]}", code="mutually_exclusive_parameters")
    if given == ["tunnel_id"]:
        message = "Unsupported parameter: 'tunnel_id' names a service that is not offered here; use 'server_url'."
        raise RequestError(message, param=f"{param}.tunnel_id", code="unsupported_parameter")
    if given == ["server_url"]:
        _check_url(tool["server_url"], f"{param}.server_url")
    _check_text(tool.get("connector_id"), f"{param}.connector_id")


def _check_url(url: Any, param: str) -> None:
    _check_text(url, param)
    try:
        parts = urlsplit(str(url))
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise RequestError(f"Invalid '{param}': not a URL.", param=param, code="invalid_value") from None
    if not fine or re.search(r"[\s\x00-\x1f\\]", url):
        raise RequestError(f"Invalid '{param}': expected an http or https URL.", param=param, code="invalid_value")
    if parts.username is not None or parts.password is not None:
        message = f"Invalid '{param}': a URL with credentials; send them in 'authorization' or 'headers'."
        raise RequestError(message, param=param, code="invalid_value")


def _check_text(value: Any, param: str) -> None:
    if value is not None and not isinstance(value, str):
        raise _wrong_type(param, "a string", value)


def _check_filter(value: Any, param: str) -> None:
    if value is None:
        return
    if isinstance(value, dict):
        sides = cast(Json, value)
        if not isinstance(sides.get("read_only"), bool | None):
            raise _wrong_type(f"{param}.read_only", "a boolean", sides["read_only"])
        names, param = sides.get("tool_names"), f"{param}.tool_names"
    else:
        names = value
    if names is not None and not _is_texts(names):
        raise _wrong_type(param, "an array of strings", names)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in cast(list[Any], value))


def _check_credentials(tool: Json, param: str) -> None:
    _check_text(tool.get("authorization"), f"{param}.authorization")
    if not _HEADER_VALUE.fullmatch(tool.get("authorization") or ""):
        message = f"Invalid '{param}.authorization': expected printable ASCII."
        raise RequestError(message, param=f"{param}.authorization", code="invalid_value")
    headers = tool.get("headers")
    if headers is None:
        return
    if not isinstance(headers, dict):
        raise _wrong_type(f"{param}.headers", "an object", headers)
    for name, value in cast(Json, headers).items():
        _check_header(name, value, f"{param}.headers")
    if tool.get("authorization") and any(name.lower() == "authorization" for name in cast(Json, headers)):
        message = "Mutually exclusive parameters: send 'authorization' or an Authorization header, not both."
        raise RequestError(message, param=f"{param}.authorization", code="mutually_exclusive_parameters")


def _check_header(name: str, value: Any, param: str) -> None:
    if not isinstance(value, str):
        raise _wrong_type(param, "an object of strings", value)
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise RequestError(f"Invalid '{param}': not an HTTP header.", param=param, code="invalid_value")
    if _RESERVED.fullmatch(name):
        raise RequestError(f"Invalid '{param}': '{name}' is set by the server.", param=param, code="invalid_value")


def _check_approval(tool: Json, param: str) -> None:
    wanted = tool.get("require_approval")
    if isinstance(wanted, dict):
        for side in ("always", "never"):
            _check_filter(cast(Json, wanted).get(side), f"{param}.{side}")
    elif wanted not in (None, "always", "never"):
        message = f"Invalid value: {str(wanted)[:50]!r}. Supported values are: 'always', 'never'."
        raise RequestError(message, param=param, code="invalid_value")


def _missing(param: str) -> RequestError:
    return RequestError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def _wrong_type(param: str, expected: str, found: object) -> RequestError:
    found_name = next((name for kind, name in _JSON_NAMES.items() if isinstance(found, kind)), "null")
    message = f"Invalid type for '{param}': expected {expected}, but got {found_name} instead."
    return RequestError(message, param=param, code="invalid_type")


_JSON_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
}
