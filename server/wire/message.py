"""What a client may say over a WebSocket. Source: CONTRACT of the Responses API, "WebSocket mode"."""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter

from graph.errors import Json, RequestError
from server.wire.parts import InputFile, InputImage, InputText, Wire
from server.wire.request import Text

#: Fields of `response.create` that are no part of the body of `POST /responses`, or have no meaning over a socket.
_ENVELOPE = frozenset(["type", "stream_id", "generate", "stream", "stream_options", "background"])
_STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_TYPES = ("response.create", "response.steer")


class _Said(Wire):
    """Steering takes what it knows and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class UserMessage(_Said):
    type: Literal["message"] = "message"
    role: Literal["user"]
    content: Text | list[Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]]
    # As an item that was returned has them; a message of a steer gets its own.
    id: str | None = None
    status: str | None = None


class Steer(_Said):
    type: Literal["response.steer"]
    previous_response_id: str
    input: Text | Annotated[list[UserMessage], Field(min_length=1)]


STEER = TypeAdapter(Steer)


def type_of(message: Any) -> str:
    """Raises `RequestError` for what is no message of a client."""
    if not isinstance(message, dict):
        raise RequestError("Expected a JSON object with a 'type'.", code="invalid_type")
    kind: Any = cast(Json, message).get("type")
    if kind is None:
        raise RequestError("Missing required parameter: 'type'.", param="type", code="missing_required_parameter")
    if kind not in _TYPES:
        values = ", ".join(f"'{known}'" for known in _TYPES)
        text = f"Invalid value: '{str(kind)[:100]}'. Supported values are: {values}."
        raise RequestError(text, param="type", code="invalid_value")
    return kind


def stream_id_of(message: Json) -> str | None:
    """The lane a message is for; None is the one without a name. Raises `RequestError`."""
    given: Any = message.get("stream_id")
    if given is None or (isinstance(given, str) and _STREAM_ID.fullmatch(given)):
        return given
    raise RequestError(
        "The 'stream_id' field must be a non-empty string with at most 256 characters and may only contain letters, "
        "numbers, underscores, hyphens, and periods.",
        param="stream_id",
        code="invalid_stream_id",
    )


def body_of(message: Json) -> Json:
    """A `response.create` as the body it would have as a POST. Raises `RequestError`."""
    if message.get("background"):
        raise RequestError(
            "Background responses are not made over a WebSocket; POST them to /v1/responses.", param="background"
        )
    if not isinstance(message.get("generate"), bool | None):
        text = "Invalid type for 'generate': expected a boolean."
        raise RequestError(text, param="generate", code="invalid_type")
    return {key: value for key, value in message.items() if key not in _ENVELOPE}


def is_warm_up(message: Json) -> bool:
    """Whether the response is to have no output."""
    options: Any = message.get("prompt_cache_options")
    prewarm = isinstance(options, dict) and cast(Json, options).get("prewarm") is True
    return prewarm or message.get("generate") is False
