"""A content part of a message or a thought while it is written."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from graph.errors import Json

if TYPE_CHECKING:
    from graph.events import OpenItem

#: Part type → (its text field, the zero value of the part).
_PARTS: dict[str, tuple[str, Json]] = {
    "output_text": ("text", {"annotations": [], "logprobs": []}),
    "refusal": ("refusal", {}),
    "reasoning_text": ("text", {}),
}


class Part:
    """A content part being written: text, a refusal, or a raw thought."""

    def __init__(self, owner: "OpenItem", part: Json) -> None:
        kind: str = part["type"]
        self.kind = kind
        self._owner = owner
        self._field, zero = _PARTS[kind]
        self.zero: Json = {"type": kind, self._field: "", **zero}
        self.stem = owner.emitter.reasoning if kind == "reasoning_text" else kind
        self._texts: list[str] = []
        self._logprobs: list[Json] = []
        self._noted: list[Json] = []
        self.place: Json = {"content_index": len(owner.item["content"])}
        self._with_logprobs = kind == "output_text"
        #: What its text cites; asked when it is whole.
        self.cite: Callable[[str], Sequence[Json]] | None = None
        place = {"item_id": owner.id, "output_index": owner.index, **self.place}
        self._deltas = owner.emitter.deltas(owner.index, f"response.{self.stem}.delta", place)

    def was_written(self, text: str, logprobs: list[Json]) -> None:
        """Take over what another process has said."""
        self._texts.append(text)
        self._logprobs += logprobs

    def write(self, text: str, logprobs: list[Json] | None = None) -> None:
        self._texts.append(text)
        logprobs = logprobs if logprobs and self._with_logprobs else None
        self._logprobs += logprobs or ()
        self._deltas.say(text, logprobs)

    def close(self) -> None:
        """`<part>.done` and `content_part.done`; the part joins the item's content."""
        text = "".join(self._texts)
        fields: Json = {self._field: text}
        if self._with_logprobs:
            fields["logprobs"] = self._logprobs
        notes = self._notes(text)
        self._owner.event(f"{self.stem}.done", **fields, **self.place)
        part = {**self.zero, **fields, **({"annotations": notes} if notes else {})}
        self._owner.event("content_part.done", part=part, **self.place)
        self._owner.item = {**self._owner.item, "content": [*self._owner.item["content"], part]}
        self._owner.part = None

    def was_noted(self, note: Json) -> None:
        """Take over what another process has said that the text cites."""
        self._noted.append(note)

    def note(self, note: Json) -> None:
        """`output_text.annotation.added`."""
        told = {"annotation": note, "annotation_index": len(self._noted)}
        self._owner.event("output_text.annotation.added", **told, **self.place)
        self._noted.append(note)

    def _notes(self, text: str) -> Sequence[Json]:
        for note in self.cite(text) if self.cite and text and self._with_logprobs else ():
            self.note(note)
        return self._noted

    @property
    def text(self) -> str:
        return "".join(self._texts)
