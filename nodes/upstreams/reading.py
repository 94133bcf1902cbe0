"""One answer being read: bytes of the model server in, repaired chunks into the sink."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from graph.errors import Json, UpstreamError
from graph.text import loads
from nodes.upstreams import failures
from nodes.upstreams.repair import Repair, as_chunk
from nodes.upstreams.sse import Frames
from nodes.upstreams.upstream import Upstream


class Reading:
    """Fed packet by packet; says when the answer is whole."""

    __slots__ = ("_feed", "_frames", "_model", "_repair", "_upstream", "finished", "heard")

    def __init__(self, upstream: Upstream, model: str, repair: Repair, feed: Callable[[Json], None]) -> None:
        self._upstream = upstream
        self._model = model
        self._frames = Frames(upstream.name)
        self._repair = repair
        self._feed = feed
        #: Whether a choice has said why it ended.
        self.finished = False
        #: Whether a chunk has come at all.
        self.heard = False

    @property
    def ended(self) -> bool:
        """Whether `[DONE]` has come: nothing of use will follow."""
        return self._frames.ended

    @property
    def notes(self) -> list[str]:
        """What had to be repaired so far."""
        return self._repair.notes

    def packet(self, packet: bytes) -> None:
        for chunk in self._frames.feed(packet):
            self._chunk(chunk)

    def _chunk(self, chunk: Json) -> None:
        if chunk.get("error") is not None or _is_bare_error(chunk):
            raise failures.broken_stream(chunk, self._upstream, self._model)
        for mended in self._mended(chunk):
            self._feed(mended)

    def _mended(self, chunk: Json) -> Sequence[Json]:
        choices: list[Any] | None = chunk.get("choices")
        if choices is None and not chunk.get("usage"):
            return ()  # a ping, or another note of no known meaning
        self.heard = True
        try:
            if choices and choices[0].get("finish_reason"):
                self.finished = True
            return self._repair.mend(chunk)
        except (AttributeError, KeyError, TypeError) as error:
            raise UpstreamError(f"The model server {self._upstream.name} sent a chunk of an unknown shape.") from error

    def close(self) -> None:
        """The body has ended. Raises `UpstreamError` when the answer has not."""
        for chunk in self._frames.end():
            self._chunk(chunk)
        if not self.heard:
            raise UpstreamError(f"The model server {self._upstream.name} sent neither events nor a completion.")
        if not (self.finished or self.ended):
            raise failures.cut_off(self._upstream)
        for chunk in self._repair.end():
            self._feed(chunk)

    def whole(self, body: bytes) -> None:
        """A body that is one JSON completion, although a stream was asked for."""
        try:
            completion = loads(body)
        except ValueError as error:
            raise UpstreamError(f"The model server {self._upstream.name} sent no JSON: {error}.") from error
        if not isinstance(completion, dict):
            raise UpstreamError(f"The model server {self._upstream.name} sent no completion.")
        self._chunk(as_chunk(cast(Json, completion)))
        self.close()


def _is_bare_error(chunk: Json) -> bool:
    """Whether it is an error without its envelope (vLLM, FastAPI)."""
    return "choices" not in chunk and ("message" in chunk or "detail" in chunk)
