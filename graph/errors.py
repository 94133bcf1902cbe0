"""How a failure looks on the wire: one class for each kind, carrying its own status, type and code.

    Failure
    ├── RequestError         400  the caller asked wrongly
    │   ├── NotFound         404  nothing of that id belongs to this caller
    │   └── Unauthorized     401  no key, or a wrong one
    ├── UpstreamError        502  the world failed: a model server, an MCP server
    │   └── ConnectorFailed  424  a tool server did not list its tools
    └── Unavailable          503  we cannot serve now; later we can
        └── StoreUnavailable      the database cannot be reached
    ToolFailed                    a tool could not: told to the model, never to the caller
    LeaseLost                     another process has taken a response over: told to nobody, this one stops

Anything else that is raised is a bug and becomes a bare `server_error`.
Source: CONTRACT of the Responses API, "Error body" and "Validation codes".
"""

from typing import Any, Literal, get_args

#: JSON from the wire, or on its way there.
Json = dict[str, Any]

#: The codes `response.error` may carry. Source: openai.types.responses.ResponseError.
ResponseCode = Literal[
    "server_error", "rate_limit_exceeded", "invalid_prompt", "invalid_image", "invalid_image_format",
    "invalid_base64_image", "invalid_image_url", "image_too_large", "image_too_small", "image_parse_error",
    "image_content_policy_violation", "invalid_image_mode", "image_file_too_large", "unsupported_image_media_type",
    "empty_image_file", "failed_to_download_image", "image_file_not_found", "vector_store_timeout",
]  # fmt: skip
_RESPONSE_CODES = frozenset(get_args(ResponseCode))


class Failure(Exception):
    """Something the caller is told. `message` is a sentence fit for the caller's eyes."""

    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        type: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.code
        self.status = status or self.status
        self.type = type or self.type
        self.retry_after_s = retry_after_s

    def body(self) -> Json:
        """`{"error": {message, type, param, code}}`, all four keys always there."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def as_response_error(self) -> Json:
        """The `error` of a response that failed; its codes are a closed list."""
        code = self.code if self.code in _RESPONSE_CODES else "server_error"
        return {"code": code, "message": self.message}


class RequestError(Failure):
    status = 400
    type = "invalid_request_error"


class NotFound(RequestError):
    status = 404


def unknown_parent(id: str | None) -> RequestError:
    message = f"Previous response with id '{id}' not found."
    return RequestError(message, param="previous_response_id", code="previous_response_not_found")


def conversation_locked() -> RequestError:
    message = "Another process is currently operating on this conversation. Please retry in a few seconds."
    return RequestError(message, param="conversation", code="conversation_locked")


class Unauthorized(RequestError):
    status = 401
    code = "invalid_api_key"


class UpstreamError(Failure):
    status = 502


class ConnectorFailed(UpstreamError):
    status = 424
    type = "external_connector_error"
    code = "http_error"


class Unavailable(Failure):
    status = 503


class StoreUnavailable(Unavailable):
    """Nothing of what was to be written has been, or it is not known; reading or writing again is safe."""


class LeaseLost(Exception):
    """Another process, or a cancel, has taken the response over: what was to be written has not been."""


class ToolFailed(Exception):
    """The tool could not; the model reads `message`, the item ends `failed` with `shown` merged in."""

    def __init__(self, message: str, shown: Json | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.shown = shown or {}
