"""`ChatOpenAI` that hands raw chunks to a sink.

Its configuration, auth, callbacks and typed errors are the parent's; a request with an `Ask` at hand is sent as ready
bytes and its answer is never made into SDK or LangChain objects, which cost ten times the rest of a token's way.
Without one (LangGraph Studio, evals) it is its parent. Importing this module takes seconds: see `registry.warm`.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import orjson
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables.config import ensure_config, get_async_callback_manager_for_config
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from graph.errors import Json
from nodes.upstreams.reading import Reading
from nodes.upstreams.upstream import Patience, Upstream

#: How long a server that has said `[DONE]` may take to end its body, so that the connection is used again.
_DRAIN_S = 0.2
_NO_KEY = "none"


@dataclass(slots=True)
class Ask:
    """One request whose answer goes to a sink."""

    body: bytes
    reading: Reading
    accepted: Callable[[], None]
    #: Every chunk, when a tracer watches.
    kept: list[Json] = field(default_factory=list[Json])
    #: Whether the server has answered with a 2xx status.
    taken: bool = False


_ask: ContextVar[Ask | None] = ContextVar("ask", default=None)


@contextmanager
def asking(ask: Ask) -> Generator[None]:
    """Within it, calls of a `SinkChatOpenAI` send this request in place of their arguments."""
    token = _ask.set(ask)
    try:
        yield
    finally:
        _ask.reset(token)


def is_traced() -> bool:
    """Whether a tracer or another callback of LangChain watches this call."""
    return bool(get_async_callback_manager_for_config(ensure_config()).handlers)


class SinkChatOpenAI(ChatOpenAI):
    """See the module."""

    def _should_stream(self, **options: Any) -> bool:
        return _ask.get() is None and super()._should_stream(**options)

    def _should_use_protocol_streaming(self, **options: Any) -> bool:
        return _ask.get() is None and super()._should_use_protocol_streaming(**options)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        ask = _ask.get()
        if ask is None:
            return await super()._agenerate(messages, stop, run_manager, **kwargs)
        await self.relay(ask)
        return self._finished(ask)

    def _finished(self, ask: Ask) -> ChatResult:
        """The answer as LangChain's tracers see it, with what was repaired in it."""
        made = (self._convert_chunk_to_generation_chunk(chunk, AIMessageChunk, {}) for chunk in ask.kept)
        chunks = [chunk for chunk in made if chunk]
        if not chunks:
            return ChatResult(generations=[ChatGeneration(message=AIMessage(content=""))])
        result = generate_from_stream(iter(chunks))
        if notes := ask.reading.notes:
            result.generations[0].message.response_metadata["repaired"] = notes
        return result

    async def relay(self, ask: Ask) -> None:
        """Send `ask` and read its answer to the end. Raises the SDK's errors, and `Failure` for a broken stream."""
        client: openai.AsyncOpenAI = self.root_async_client
        response = await client.post(
            f"{self.openai_api_base}/chat/completions",  # whole, or it is put together for every request
            cast_to=httpx2.Response,
            content=ask.body,
            options={"headers": _PLAIN if client.api_key != _NO_KEY else {**_PLAIN, **_UNSIGNED}},
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
        ask.taken = True
        ask.accepted()
        try:
            await _read(response, ask.reading)  # pyright: ignore[reportArgumentType] - `cast_to` makes it a Response
        finally:
            await response.aclose()


#: What the SDK says of this machine is nobody's business, and took a third of the work on a request's headers.
_TOLD = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async", "Retry-Count", "Read-Timeout")
#: Bytes are read as they come off the socket, so they must not be compressed.
_PLAIN: dict[str, Any] = {
    "Accept-Encoding": "identity",
    **{f"X-Stainless-{name}": openai.Omit() for name in _TOLD},
}
_UNSIGNED: dict[str, Any] = {"Authorization": openai.Omit()}


async def _read(response: httpx2.Response, reading: Reading) -> None:
    if "json" in response.headers.get("content-type", ""):
        reading.whole(await response.aread())
        return
    packets = response.aiter_raw()
    async for packet in packets:
        reading.packet(packet)
        if reading.ended:
            break
    if reading.ended:
        # Read to the end of the body, or the connection is lost to the pool.
        with suppress(TimeoutError, httpx2.HTTPError):
            async with asyncio.timeout(_DRAIN_S):
                async for _ in packets:
                    pass
    reading.close()


def open_client(upstream: Upstream, patience: Patience) -> openai.AsyncOpenAI:
    """The connections to one upstream; shared by its models, closed by the registry."""
    return openai.AsyncOpenAI(
        base_url=upstream.url,
        api_key=upstream.key or _NO_KEY,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(
            timeout=httpx2.Timeout(patience.stall_s, connect=patience.connect_s, pool=None),
            limits=httpx2.Limits(max_connections=10_000, max_keepalive_connections=1000, keepalive_expiry=30),
            # A proxy from the environment must not stand between us and our own machine.
            trust_env=not upstream.loopback,
        ),
    )


def chat_model(client: openai.AsyncOpenAI, upstream: Upstream, model: str) -> SinkChatOpenAI:
    """A LangChain model over `client`; usable by itself, without a sink, too."""
    return SinkChatOpenAI(
        model=model,
        base_url=upstream.url,
        api_key=SecretStr(upstream.key or _NO_KEY),
        root_async_client=client,
        async_client=client.chat.completions,
        max_retries=0,
        cache=False,
        stream_chunk_timeout=None,
        stream_usage=True,
    )


async def get_json(client: openai.AsyncOpenAI, path: str, timeout_s: float) -> object:
    """What a GET answers; None when it is no JSON or does not come."""
    headers = _UNSIGNED if client.api_key == _NO_KEY else {}
    try:
        async with asyncio.timeout(timeout_s):
            response = await client.get(path, cast_to=httpx2.Response, options={"headers": headers})
            return orjson.loads(response.content)
    except (TimeoutError, openai.OpenAIError, httpx2.HTTPError, orjson.JSONDecodeError):
        return None
