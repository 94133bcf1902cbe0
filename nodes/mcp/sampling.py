"""A server asks the model while a call runs: as often and as much as one call may, and when the operator allows it.

Source: MCP specification 2025-11-25, "Sampling".
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from graph.errors import Json, RequestError, UpstreamError
from graph.ports import Consult, Shown
from nodes.mcp.attending import Samples
from nodes.mcp.limits import Limits

if TYPE_CHECKING:
    from mcp import types

#: When servers may ask: `ask` is in calls that somebody has approved.
Allowed = Literal["never", "ask", "always"]
_REFUSED, _INVALID, _FAILED = -1, -32602, -32603
_STOPPED = {"length": "maxTokens", "stop": "endTurn"}
_CHARS_OF_A_STOP, _STOPS = 200, 4


class Sampling:
    """What the calls of one run may ask its model."""

    def __init__(self, allowed: Allowed, consult: Consult, limits: Limits) -> None:
        self._allowed = allowed
        self._consult = consult
        self._limits = limits

    def of(self, shown: Shown) -> Samples | None:
        """For one call; None if it may not."""
        if self._allowed == "always" or (self._allowed == "ask" and shown.approved):
            return _Sampler(self._consult, self._limits)
        return None


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Sampler:
    """For one call."""

    def __init__(self, consult: Consult, limits: Limits) -> None:
        self._consult = consult
        self._limits = limits
        self._samples_left = limits.samples
        self._tokens_left = limits.sample_tokens

    async def __call__(
        self, params: "types.CreateMessageRequestParams"
    ) -> "types.CreateMessageResult | types.ErrorData":
        from mcp import types

        try:
            return await self._answered(params)
        except _Refused as refused:
            return types.ErrorData(code=refused.code, message=str(refused))
        except (UpstreamError, RequestError):
            # What the model server says of itself is for the operator, not for servers of others.
            return types.ErrorData(code=_FAILED, message="The model did not answer.")

    async def _answered(self, params: "types.CreateMessageRequestParams") -> "types.CreateMessageResult":
        from mcp import types

        messages = list(messages_of(params))
        self._check(params)
        tokens = min(params.maxTokens, self._tokens_left)
        self._samples_left -= 1
        # Taken before it is known how many are used: several questions may be asked at once.
        self._tokens_left -= tokens
        said = await self._consult(messages, _options(params, tokens))
        content = types.TextContent(type="text", text=said.text)
        stopped = _STOPPED.get(said.finish or "", said.finish)
        return types.CreateMessageResult(role="assistant", content=content, model=said.model, stopReason=stopped)

    def _check(self, params: "types.CreateMessageRequestParams") -> None:
        if self._samples_left <= 0 or self._tokens_left <= 0:
            raise _Refused(_REFUSED, "This call has asked the model as much as one call may.")
        if params.tools or params.maxTokens <= 0:
            raise _Refused(_INVALID, "Only questions without tools, for one token or more, can be asked.")
        if len(params.model_dump_json()) > self._limits.sample_chars:
            raise _Refused(_INVALID, f"A question of more than {self._limits.sample_chars} characters.")


def _options(params: "types.CreateMessageRequestParams", tokens: int) -> Json:
    options: Json = {"max_tokens": tokens}
    if params.temperature is not None:
        options["temperature"] = min(max(params.temperature, 0), 2)
    if stops := [stop[:_CHARS_OF_A_STOP] for stop in (params.stopSequences or ())[:_STOPS] if stop]:
        options["stop"] = stops
    return options


def messages_of(params: "types.CreateMessageRequestParams") -> Iterator[Json]:
    """As Chat Completions has them. Raises `_Refused`."""
    if params.systemPrompt:
        yield {"role": "system", "content": params.systemPrompt}
    for message in params.messages:
        parts = message.content if isinstance(message.content, list) else [message.content]
        yield {"role": message.role, "content": _content_of(parts)}


def _content_of(parts: "list[types.SamplingMessageContentBlock]") -> str | list[Json]:
    content = [_part_of(part) for part in parts]
    texts = [part["text"] for part in content if part["type"] == "text"]
    return "\n".join(texts) if len(texts) == len(content) else content


def _part_of(part: "types.SamplingMessageContentBlock") -> Json:
    if part.type == "text":
        return {"type": "text", "text": part.text}
    if part.type == "image":
        return {"type": "image_url", "image_url": {"url": f"data:{part.mimeType};base64,{part.data}"}}
    raise _Refused(_INVALID, "Only texts and images can be asked about.")
