"""What a model says beside its calls: messages and thoughts, from piece to item."""

from collections.abc import Callable, Sequence

from graph.citing import placed
from graph.errors import Json
from graph.events import Emitter, OpenItem
from graph.marks import Marks
from graph.part import Part
from graph.state import Entry


class Saying:
    def __init__(self, emitter: Emitter, entries: list[Entry]) -> None:
        """`entries`: where items go when they are done."""
        self._emitter = emitter
        self._entries = entries
        self._part: Part | None = None
        self._item: OpenItem | None = None
        #: Set to add `encrypted_content` to thoughts.
        self.seal: Callable[[Json], str] | None = None
        #: Set to take marks out of the text.
        self.marks: Marks | None = None
        #: Set to what a text cites.
        self.cite: Callable[[str], Sequence[Json]] | None = None

    def tell(self, text: str, logprobs: list[Json] | None = None) -> None:
        """Text of an answer, in which there may be marks."""
        if self.marks is None:
            self.write("output_text", text, logprobs)
            return
        for piece in self.marks.feed(text):
            if isinstance(piece, str):
                self._write("output_text", piece, logprobs)
            else:
                part = self._taking("output_text")
                shown, note = placed(piece, part.text)
                if shown:
                    part.write(shown)
                part.note(note)

    def write(self, kind: str, text: str, logprobs: list[Json] | None = None) -> None:
        self._tell_rest()
        self._write(kind, text, logprobs)

    def close(self) -> None:
        """The item that is open is done."""
        self._tell_rest()
        self._end_item()

    def _end_item(self) -> None:
        if self._item:
            self._entries.append({"item": self._item.close(**self._sealed()), "at": self._item.index})
        self._item = self._part = None

    def cut(self) -> None:
        """What is open will not be done."""
        self._tell_rest(cut=True)
        self._item = self._part = None

    def _tell_rest(self, *, cut: bool = False) -> None:
        """Text that was held back because it might have become a mark."""
        if self.marks:
            self._write("output_text", self.marks.end(cut=cut))

    def _write(self, kind: str, text: str, logprobs: list[Json] | None = None) -> None:
        if text:
            self._taking(kind).write(text, logprobs)

    def _taking(self, kind: str) -> Part:
        """The part to write `kind` into; a new item unless the open one takes it."""
        part = self._part
        return part if part and part.kind == kind else self._begin(kind)

    def _begin(self, kind: str) -> Part:
        wanted = "reasoning" if kind == "reasoning_text" else "message"
        if self._item is None or self._item.item["type"] != wanted:
            self._end_item()
            zero: Json = {"type": wanted, "summary": []} if wanted == "reasoning" else {
                "type": wanted, "status": "in_progress", "role": "assistant"
            }  # fmt: skip
            self._item = self._emitter.open({**zero, "content": []})
        self._part = self._item.open_part({"type": kind})
        self._part.cite = self.cite
        return self._part

    def _sealed(self) -> Json:
        """What a thought carries for clients that keep their own history."""
        if self._item is None or self._part is None or self.seal is None or self._part.kind != "reasoning_text":
            return {}
        return {"encrypted_content": self.seal({"reasoning": self._part.text})}
