"""Marks in a model's text, however the stream is cut."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.events import Emitter
from graph.log import EventLog
from graph.marks import Marks
from graph.saying import Saying
from graph.state import Entry
from nodes.upstreams.sse import Frames
from tests.contract import promise

Json = dict[str, Any]
SOURCES: dict[str, Json] = {number: {"file_id": f"file-{number}"} for number in ("1", "2", "3", "12")}


def read(pieces: list[str], *, cut: bool = False) -> tuple[str, list[tuple[int, Json]]]:
    """The text that is seen, and annotations with their places."""
    marks, text, notes = Marks(SOURCES), "", list[tuple[int, Json]]()
    for piece in pieces:
        for told in marks.feed(piece):
            if isinstance(told, str):
                text += told
            else:
                notes.append((len(text), told))
    return text + marks.end(cut=cut), notes


TEXTS = [
    ("It rains 【1】.", "It rains.", [(8, "1")]),
    ("【2】It rains【1】【3】.", "It rains.", [(0, "2"), (8, "1"), (8, "3")]),
    ("It rains 【1】 【3】 today", "It rains today", [(8, "1"), (8, "3")]),
    ("It rains 【1, 12】.", "It rains.", [(8, "1"), (8, "12")]),
    ("It rains 【3†report.pdf, page 2】【1:0†source】.", "It rains.", [(8, "3"), (8, "1")]),
    ("It rains 【1】 and 【1】.", "It rains and.", [(8, "1"), (12, "1")]),
    ("Known and not 【1, 99】.", "Known and not.", [(13, "1")]),
    ("Notes【注】 and 【99】 and a[1] and 【1 stay.", "Notes【注】 and 【99】 and a[1] and 【1 stay.", []),
    ("New\nlines  \n【1\n】 and spaces   ", "New\nlines  \n【1\n】 and spaces   ", []),
    ("【" + "1" * 90 + "】", "【" + "1" * 90 + "】", []),
    ("Нет 【1】 и 雨【2】が降る", "Нет и 雨が降る", [(3, "1"), (7, "2")]),
    ("Ends with half 【1", "Ends with half 【1", []),
]


@pytest.mark.parametrize(("said", "seen", "cited"), TEXTS)
@promise("citations.marks")
def test_what_is_seen_does_not_depend_on_where_the_stream_is_cut(
    said: str, seen: str, cited: list[tuple[int, str]]
) -> None:
    wanted = seen, [(at, SOURCES[number]) for at, number in cited]
    assert read([said]) == wanted
    assert read(list(said)) == wanted
    for at in range(len(said)):
        assert read([said[:at], said[at:]]) == wanted


PIECES = ["【", "】", "1", "2", "†", " ", "\n", "a", ",", ":", "【1】", "【2†a】"]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
@promise("citations.marks")
def test_any_text_reads_the_same_whole_and_in_pieces(pieces: list[str]) -> None:
    whole = read(["".join(pieces)])
    assert read(pieces) == whole
    assert read(list("".join(pieces))) == whole


FOUND: dict[str, Json] = {
    "1": {"type": "url_citation", "url": "https://a.example/", "title": "A"},
    "2": {"type": "file_citation", "file_id": "file-2", "filename": "b.md"},
}


def shown(packets: Iterable[bytes]) -> tuple[str, list[Json]]:
    """What becomes of packets of a model server: through the parser of its stream, to the text and its annotations."""
    frames, entries = Frames("test"), list[Entry]()
    saying = Saying(Emitter(EventLog(), lambda prefix: f"{prefix}_1"), entries)
    saying.marks = Marks(FOUND)
    for packet in packets:
        for chunk in frames.feed(packet):
            saying.tell(chunk["choices"][0]["delta"]["content"])
    saying.close()
    (part,) = entries[0]["item"]["content"]
    return part["text"], part["annotations"]


@promise("citations.marks", "web_search.citations")
def test_annotations_are_the_same_wherever_the_bytes_of_a_stream_are_cut() -> None:
    """Of pages and of files; in several deltas, none of which ends where a mark does."""
    said = ("Es öff", "net 🐕 um neun 【", "1", "】 und【2, 1†§ 3", "】 schlie", "ßt 【2】【9】.")
    frames = [json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False) for text in said]
    wire = "".join(f"data: {frame}\n\n" for frame in frames).encode()
    text, notes = whole = shown([wire])
    link = "([a.example](https://a.example/))"
    assert text == f"Es öffnet 🐕 um neun {link} und {link} schließt【9】."
    places = [(note.get("index", note.get("start_index")), note.get("end_index")) for note in notes]
    first, second, last = text.index(link), text.rindex(link), text.index("【")
    assert places == [(first, first + len(link)), (second - 1, None), (second, second + len(link)), (last, None)]
    for at in range(1, len(wire)):
        assert shown([wire[:at], wire[at:]]) == whole, wire[:at]
    assert shown(wire[at : at + 1] for at in range(len(wire))) == whole


@pytest.mark.parametrize("said", [said for said, _, _ in TEXTS])
@promise("citations.marks")
def test_no_half_mark_is_ever_shown(said: str) -> None:
    whole, _ = read([said])
    for at in range(len(said)):
        marks = Marks(SOURCES)
        shown = "".join(told for told in marks.feed(said[:at]) if isinstance(told, str))
        assert whole.startswith(shown)
        assert "【1" not in shown + marks.end(cut=True) or "【1" in whole
