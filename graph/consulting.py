"""Questions put to the model on the side: of no part of the conversation, and heard by whoever asks."""

from typing import NamedTuple

from graph.errors import Json


class Said(NamedTuple):
    """What the model answers a question on the side."""

    text: str
    #: Why it ended: `stop`, `length` …; None where the model server does not say.
    finish: str | None
    model: str


class Text:
    """A sink that keeps the text of an answer."""

    def __init__(self) -> None:
        self.text: str = ""
        self.usage: Json | None = None
        self.finish: str | None = None

    def accepted(self) -> None:
        pass

    def feed(self, chunk: Json) -> None:
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices") or ():
            delta: Json = choice.get("delta") or choice.get("message") or {}
            self.text += delta.get("content") or ""
            self.finish = choice.get("finish_reason") or self.finish
