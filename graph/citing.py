"""Where an answer speaks of files that code has made: `container_file_citation`. For what tools have found see `marks`.

Models link a file as `[name](sandbox:/mnt/data/name)`. A file that its answer does not speak of is cited at 0, as
recorded traffic of the API does for pictures.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlsplit

from graph.errors import Json
from graph.state import Entry

_LINK = "sandbox:"
#: Entries of earlier responses that are looked through for files.
_BACK = 100


def citations(entries: Sequence[Entry], output_at: int, text: str) -> list[Json]:
    """What a text cites that goes on from `entries`, those from `output_at` on being of its own response."""
    own = list(entries[output_at:])
    before = list(entries[max(0, output_at - _BACK) : output_at])
    files = {file["path"]: file for entry in (*before, *own) for file in entry.get("made", ())}
    fresh = {file["file_id"] for entry in own for file in entry.get("made", ())} - _cited(own)
    notes: list[Json] = []
    for file in files.values():
        spans = list(_mentions(text, file["path"]))
        if not spans and file["file_id"] in fresh:
            spans = [(0, 0)]
        notes += [_note(file, span) for span in spans]
    return sorted(notes, key=lambda note: note["start_index"])


def placed(note: Json, text: str) -> tuple[str, Json]:
    """What is shown in the place of a mark that stood behind `text`, and its annotation.

    A page is shown as a link, over which its annotation stands, as recorded traffic of the API has it.
    """
    if note["type"] != "url_citation":
        return "", {**note, "index": len(text)}
    space = " " if text and not text[-1].isspace() else ""
    url = note["url"].replace("(", "%28").replace(")", "%29")  # which would end it
    link = f"([{urlsplit(note['url']).hostname or 'link'}]({url}))"
    start = len(text) + len(space)
    return space + link, {**note, "start_index": start, "end_index": start + len(link)}


def _cited(entries: Sequence[Entry]) -> set[str]:
    contents = (entry["item"]["content"] for entry in entries if entry["item"]["type"] == "message")
    notes = (note for content in contents for part in content for note in part.get("annotations") or ())
    return {note["file_id"] for note in notes if note["type"] == "container_file_citation"}


def _mentions(text: str, path: str) -> Iterator[tuple[int, int]]:
    for spelling in {path, quote(path)}:
        start = text.find(spelling)
        while start >= 0:
            end = start + len(spelling)
            if not _goes_on(text[end : end + 2]):
                yield (start - len(_LINK) if text[:start].endswith(_LINK) else start), end
            start = text.find(spelling, end)


def _goes_on(rest: str) -> bool:
    """Whether what follows belongs to a longer name: `a.csv.gz` does not speak of `a.csv`."""
    return rest[:1].isalnum() or rest[:1] in ("_", "-", "/") or (rest[:1] == "." and rest[1:].isalnum())


def _note(file: Json, span: tuple[int, int]) -> Json:
    named = {key: file[key] for key in ("container_id", "file_id", "filename")}
    return {"type": "container_file_citation", **named, "start_index": span[0], "end_index": span[1]}
