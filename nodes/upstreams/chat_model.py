"""`ChatOpenAI` that hands raw chunks to a sink.

Its configuration, auth, callbacks and typed errors are the parent's; a request with an `Ask` at hand is sent as ready
bytes and its answer is never made into SDK or LangChain objects, which cost ten times the rest of a token's way.
Without one (LangGraph Studio, evals) it is its parent. Importing this module takes seconds: see `registry.warm`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from nodes.upstreams.reading import Reading, check_size
from nodes.upstreams.upstream import Patience, Upstream

#: How long a server that has said `[DONE]` may take to end its body, so that the connection is used again.
_DRAIN_S = 0.5
_NO_KEY = "none"


@dataclass(slots=True)
class Ask:
    """One request whose answer goes to a sink."""

    body: bytes
    reading: Reading
    accepted: Callable[[], None]


_ask: ContextVar[Ask | None] = ContextVar("ask", default=None)


@contextmanager
def asking(ask: Ask) -> Iterator[None]:
    """Within it, calls of a `SinkChatOpenAI` send this request in place of their arguments."""
    token = _ask.set(ask)
    try:
        yield
    finally:
        _ask.reset(token)


class SinkChatOpenAI(ChatOpenAI):
    """See the module."""

    def _should_stream(self, **options: Any) -> bool:  # type: ignore[override] - passes all on
        return _ask.get() is None and super()._should_stream(**options)

    def _should_use_protocol_streaming(self, **options: Any) -> bool:  # type: ignore[override] - passes all on
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
        await self._relay(ask)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=""))])

    async def _relay(self, ask: Ask) -> None:
        client: openai.AsyncOpenAI = self.root_async_client
        response = await client.post(
            "/chat/completions",
            cast_to=httpx2.Response,
            content=ask.body,
            options={"headers": _PLAIN if client.api_key != _NO_KEY else _PLAIN_UNSIGNED},
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
        ask.accepted()
        try:
            await _read(response, ask.reading)  # type: ignore[arg-type] - `cast_to` makes it a Response
        finally:
            await response.aclose()  # type: ignore[union-attr] - likewise


#: Bytes are read as they come off the socket, so they must not be compressed.
_PLAIN: dict[str, Any] = {"Accept-Encoding": "identity"}
_PLAIN_UNSIGNED = {**_PLAIN, "Authorization": openai.Omit()}


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
