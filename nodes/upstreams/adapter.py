"""One model of one upstream: asks it, says why it could not, asks again where that may help."""

import asyncio
import logging
from collections.abc import Callable

import httpx2
import openai
import orjson
from langchain_core.messages import BaseMessage, convert_to_messages

from graph.errors import Json, RequestError, UpstreamError
from graph.ports import Profile, Prompt, Sink
from nodes.upstreams import failures
from nodes.upstreams.again import NotNow
from nodes.upstreams.chat_model import Ask, asking, chat_model, is_traced, open_client
from nodes.upstreams.probe import Learned, SchemaProbe
from nodes.upstreams.reading import Reading
from nodes.upstreams.repair import Repair, offered_by
from nodes.upstreams.upstream import Patience, Upstream

__all__ = ["ChatModel", "open_client"]

logger = logging.getLogger(__name__)

#: A request is changed for what a server refuses at most this often.
_LESSONS = 6


class ChatModel:
    """One address; `balance.Balanced` makes a `Model` of one or several."""

    def __init__(self, client: openai.AsyncOpenAI, upstream: Upstream, name: str, patience: Patience) -> None:
        self._chat = chat_model(client, upstream, name)
        self._upstream = upstream
        self._patience = patience
        self._learned = Learned(upstream)
        self._probing = asyncio.Lock()

    async def attempt(self, prompt: Prompt, sink: Sink) -> None:
        """As `Model.answer`, once, or as often as it takes to learn what the server refuses. Raises `NotNow` too."""
        for _ in range(_LESSONS):
            try:
                return await self._ask(prompt, sink)
            except openai.APIStatusError as error:
                if not self._learned.learn(error.status_code, error.body, prompt):
                    raise self._refusal(error, prompt) from error
        raise UpstreamError(f"The model server {self._upstream.name} refused one part of the request after another.")

    async def profile(self, *, json_schema: bool) -> Profile:
        """What is known; with `json_schema` the server is asked for that once. A probe that fails settles nothing."""
        if json_schema and self._learned.json_schema is None:
            async with self._probing:
                if self._learned.json_schema is None:
                    await self._probe()
        return self._learned.profile()

    async def _probe(self) -> None:
        probe = SchemaProbe(self._chat.model_name)
        try:
            await self.attempt(probe.prompt, probe)
        except RequestError:
            self._learned.json_schema = False
        except (UpstreamError, NotNow) as error:
            # The answer itself will fail in the same way, and that is told.
            extra = {"upstream": self._upstream.name, "why": str(error)}
            logger.info("Could not ask a model server whether it enforces JSON schemas", extra=extra)
        else:
            self._learned.json_schema = probe.enforced

    async def _ask(self, prompt: Prompt, sink: Sink) -> None:
        traced = is_traced()
        kept: list[Json] = []
        feed = _both(sink.feed, kept.append) if traced else sink.feed
        repair = Repair(offered_by(prompt.tools, prompt.options))
        reading = Reading(self._upstream, prompt.model, repair, feed)
        ask = Ask(orjson.dumps(self._learned.body(prompt)), reading, sink.accepted, kept)
        try:
            if traced:
                with asking(ask):
                    await self._chat.ainvoke(_messages(prompt))
            else:
                # LangChain's ceremony, and its messages above all, are only for those who watch.
                await self._chat.relay(ask)
        except openai.APIStatusError:
            raise
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            if not reading.finished:
                raise self._broken(error, begun=ask.taken) from error
        if reading.notes:
            extra = {"upstream": self._upstream.name, "notes": reading.notes}
            logger.debug("Repaired an answer of a model server", extra=extra)

    def _refusal(self, error: openai.APIStatusError, prompt: Prompt) -> Exception:
        headers = error.response.headers
        failure = failures.refusal(error.status_code, error.body, headers, self._upstream, prompt.model)
        if failures.is_repeatable(error.status_code):
            return NotNow(failure, unreachable=False)
        if not self._learned.tools and prompt.tools and isinstance(failure, RequestError):
            failure.param = "tools"
        return failure

    def _broken(self, error: Exception, *, begun: bool) -> Exception:
        if _is_stall(error):
            return failures.stalled(self._upstream, self._patience.stall_s)
        if begun:
            return failures.cut_off(self._upstream)
        return NotNow(failures.unreachable(self._upstream, _reason(error)), unreachable=True)


def _messages(prompt: Prompt) -> list[BaseMessage]:
    return convert_to_messages(orjson.loads(orjson.dumps(list(prompt.messages))))


def _both(first: Callable[[Json], None], second: Callable[[Json], None]) -> Callable[[Json], None]:
    def feed(chunk: Json) -> None:
        first(chunk)
        second(chunk)

    return feed


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
