"""What a model server's refusals mean to the caller: one table, from status and words to our errors."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from graph.errors import Failure, Json, RequestError, UpstreamError
from nodes.upstreams.upstream import Upstream

#: How OpenAI, vLLM, Ollama, llama.cpp, LM Studio, TGI, SGLang and Anthropic's shim say that the prompt is too long.
_OVERFLOW = re.compile(
    r"context[_ ](length|window|size)|maximum context|exceed\w* .{0,40}context|n_ctx|prompt is too long"
    r"|input (length|is too long)|too many (input )?tokens|longer than the (maximum )?model|max_model_len"
    r"|exceeds? the (model'?s )?max(imum)? (number of )?(input )?tokens|larger than the context",
    re.IGNORECASE,
)
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_NO_MODEL = re.compile(r"model\b.{0,200}\b(not found|does not exist|not exist|unknown|not loaded)", re.I | re.S)
_NO_ROUTE = re.compile(r"^(404 )?(page )?not found$|no (such )?route|cannot post|invalid url|endpoint|\bpath\b", re.I)
_PARAMS = {
    "messages": "input",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
}
_REPEATED = frozenset({502, 503, 504})


def error_fields(body: object) -> Json:
    """The error object of a body, in whichever of the shapes seen: `{error: {…}}`, `{error: "…"}`, `{detail}`, bare."""
    if not isinstance(body, dict):
        return {"message": body.strip()} if isinstance(body, str) else {}
    fields = cast(Json, body)
    inner = fields.get("error", fields)
    if not isinstance(inner, dict):
        return {"message": str(inner)}
    inner = cast(Json, inner)
    if "message" not in inner and "detail" in inner:
        return {**inner, "message": str(inner["detail"])}
    return inner


def message_of(body: object) -> str:
    """What the server said, as one short sentence without its end mark; empty if it said nothing."""
    said = error_fields(body).get("message")
    text = " ".join(str(said or "").split())
    if text.startswith(("<!", "<html")):
        return ""
    return (text[:600] + "…" if len(text) > 600 else text).rstrip(". ")


def refusal(status: int, body: object, headers: Mapping[str, str], upstream: Upstream, model: str) -> Failure:
    """The error to raise when `upstream` answered with `status` of 400 or above."""
    said = message_of(body)
    who = f"The model server {upstream.name}"
    if status in (401, 403):
        hint = "set another key for it" if upstream.key else "it wants an API key; set one for it"
        return UpstreamError(f"{who} refused this server's own credentials (HTTP {status}): {hint}.")
    if status == 429:
        return UpstreamError(
            f"{who} is rate limiting: {said or 'too many requests'}.",
            status=429, type="rate_limit_error", code="rate_limit_exceeded", retry_after_s=retry_after_s(headers),
        )  # fmt: skip
    if status == 404 and _is_routing(said):
        return UpstreamError(f"{who} has no Chat Completions at {upstream.url} (HTTP 404): check its address.")
    if status < 500:
        return _wrong_request(status, body, said, who, model)
    wait = retry_after_s(headers) if status == 503 else None
    return UpstreamError(f"{who} failed (HTTP {status}): {said or 'no reason given'}.",
                         status=503 if status == 503 else 502, retry_after_s=wait)  # fmt: skip


def _is_routing(said: str) -> bool:
    """Whether a 404 speaks of the path, or of nothing; others speak of the model."""
    return not said or _NO_ROUTE.search(said) is not None


def _wrong_request(status: int, body: object, said: str, who: str, model: str) -> Failure:
    fields = error_fields(body)
    code = fields.get("code")
    if status == 413 or is_overflow(body):
        return RequestError(
            f"The input is longer than the context of the model '{model}': {said or 'too long'}.",
            param="input", code="context_length_exceeded",
        )  # fmt: skip
    if status == 404 or code == "model_not_found" or (status == 400 and _NO_MODEL.search(said)):
        return RequestError(
            f"The model '{model}' does not exist at the{who[3:]}: {said}.", param="model", code="model_not_found"
        )
    return RequestError(
        f"{who} refused the request (HTTP {status}): {said or 'no reason given'}.",
        param=_param(fields.get("param")),
        code=code if isinstance(code, str) else None,
    )


def _param(theirs: object) -> str | None:
    """A field of Chat Completions by its name in the Responses API."""
    if not isinstance(theirs, str) or not theirs:
        return None
    field = re.split(r"[.\[]", theirs, maxsplit=1)[0]
    return _PARAMS.get(field, theirs)


def is_overflow(body: object) -> bool:
    """Whether the refusal is for a prompt longer than the model's context."""
    fields = error_fields(body)
    kinds: set[Any] = {fields.get("code"), fields.get("type")}
    return bool(_OVERFLOW_CODES & {k for k in kinds if isinstance(k, str)} or _OVERFLOW.search(message_of(body)))


def broken_stream(chunk: Json, upstream: Upstream, model: str) -> Failure:
    """The error a server put into a stream it had begun with HTTP 200."""
    said = message_of(chunk)
    if is_overflow(chunk):
        return _wrong_request(400, chunk, said, f"The model server {upstream.name}", model)
    return UpstreamError(f"The model server {upstream.name} failed while answering: {said or 'no reason given'}.")


def cut_off(upstream: Upstream) -> UpstreamError:
    return UpstreamError(f"The model server {upstream.name} broke the connection before its answer was complete.")


def stalled(upstream: Upstream, stall_s: float) -> UpstreamError:
    return UpstreamError(f"The model server {upstream.name} sent nothing for {stall_s:g} seconds.", status=504)


def unreachable(upstream: Upstream, why: str) -> UpstreamError:
    """`why` as the operating system said it."""
    return UpstreamError(
        f"The model server {upstream.name} cannot be reached at {upstream.url} ({why}): "
        "start it, or correct its address in the settings."
    )


def is_repeatable(status: int) -> bool:
    """Whether the same request may succeed a moment later; 429 is the caller's to repeat."""
    return status in _REPEATED


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` (seconds or a date) or `retry-after-ms`, in seconds."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        value = headers.get("retry-after", "")
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
