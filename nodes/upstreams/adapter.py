"""One model of one upstream, fitting the machine's `Model` port."""

import logging
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import orjson
import tenacity

from graph.errors import Failure, Json, UpstreamError
from graph.ports import Profile, Prompt, Sink
from nodes.upstreams import failures
from nodes.upstreams.chat_model import Ask, SinkChatOpenAI, asking
from nodes.upstreams.reading import Reading
from nodes.upstreams.repair import Repair
from nodes.upstreams.upstream import Patience, Upstream

logger = logging.getLogger(__name__)


class Repeatable(Exception):
    """A failure before the first byte that may be gone a moment later; `failure` is told when it is not."""

    def __init__(self, failure: Failure, *, unreachable: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.unreachable = unreachable


class ChatModel:
    def __init__(self, chat: SinkChatOpenAI, upstream: Upstream, patience: Patience) -> None:
        self._chat = chat
        self._upstream = upstream
        self._patience = patience

    async def answer(self, prompt: Prompt, sink: Sink) -> None:
        try:
            await _retrying()(self.ask_once, prompt, sink)
        except Repeatable as error:
            raise error.failure from error

    async def ask_once(self, prompt: Prompt, sink: Sink) -> None:
        """One attempt. Raises `Repeatable` for what may be asked again."""
        repair = Repair(prompt.tools)
        reading = Reading(self._upstream, prompt.model, repair, sink.feed)
        accepted = False

        def accept() -> None:
            nonlocal accepted
            accepted = True
            sink.accepted()

        try:
            with asking(Ask(orjson.dumps(_body(prompt)), reading, accept)):
                await self._chat.ainvoke([])
        except openai.APIStatusError as error:
            raise self._refusal(error, prompt.model) from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            if not accepted:
                raise self._unreached(error) from error
            if not reading.finished:
                raise self._broken(error) from error

    async def profile(self) -> Profile:
        return Profile(developer_role=self._upstream.openai)

    async def count_tokens(self, prompt: Prompt) -> int:
        raise UpstreamError("not yet")

    def _refusal(self, error: openai.APIStatusError, model: str) -> Exception:
        failure = failures.refusal(error.status_code, error.body, error.response.headers, self._upstream, model)
        return Repeatable(failure) if failures.is_repeatable(error.status_code) else failure

    def _unreached(self, error: Exception) -> Exception:
        if _is_stall(error):
            return failures.stalled(self._upstream, self._patience.stall_s)
        return Repeatable(failures.unreachable(self._upstream, _reason(error)), unreachable=True)

    def _broken(self, error: Exception) -> Failure:
        if _is_stall(error):
            return failures.stalled(self._upstream, self._patience.stall_s)
        return failures.cut_off(self._upstream)


def _body(prompt: Prompt) -> Json:
    body: Json = {"model": prompt.model, "messages": list(prompt.messages)}
    if prompt.tools:
        body["tools"] = list(prompt.tools)
    return {**body, **prompt.options, "stream": True, "stream_options": {"include_usage": True}}


def _retrying() -> Callable[..., Any]:
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(Repeatable),
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential_jitter(initial=0.1, max=1.0, jitter=0.1),
        reraise=True,
    )


def _is_stall(error: BaseException | None) -> bool:
    """Whether a read timed out; the transport calls several other things a timeout as well."""
    while error is not None:
        if isinstance(error, httpx2.ReadTimeout):
            return True
        error = error.__cause__
    return False


def _reason(error: BaseException) -> str:
    """The innermost cause in words."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).rstrip(".") or type(error).__name__
