"""Where a text speaks of a file: pure cases, many of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.citing import citations
from graph.state import Entry
from tests.contract import promise

Json = dict[str, Any]


def made(*paths: str) -> Entry:
    files = [
        {"container_id": "cntr_1", "file_id": f"cfile_{at}", "filename": path.rsplit("/", 1)[-1], "path": path}
        for at, path in enumerate(paths)
    ]
    return {"item": {"type": "code_interpreter_call"}, "made": files}


def spans(text: str, *paths: str) -> list[str]:
    return [text[note["start_index"] : note["end_index"]] for note in citations([made(*paths)], 0, text)]


@promise("code.files")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](sandbox:/mnt/data/a.csv)", ["sandbox:/mnt/data/a.csv"]),
        ("It is in /mnt/data/a.csv.", ["/mnt/data/a.csv"]),
        ("/mnt/data/a.csv and /mnt/data/a.csv", ["/mnt/data/a.csv", "/mnt/data/a.csv"]),
        ("/mnt/data/a.csv.gz", [""]),
        ("/mnt/data/a.csv_old", [""]),
        ("/mnt/data/a.csv/x", [""]),
        ("é😀 sandbox:/mnt/data/a.csv", ["sandbox:/mnt/data/a.csv"]),
        ("Done.", [""]),
    ],
)
def test_a_file_is_cited_where_it_is_spoken_of_or_else_at_the_beginning(text: str, found: list[str]) -> None:
    assert spans(text, "/mnt/data/a.csv") == found


@promise("code.files")
def test_a_file_is_cited_without_being_spoken_of_only_once() -> None:
    entries: list[Entry] = [made("/mnt/data/a.csv")]
    notes = citations(entries, 0, "Done.")
    message: Entry = {"item": {"type": "message", "content": [{"type": "output_text", "annotations": notes}]}}
    assert citations([*entries, message], 0, "More.") == []
    assert len(citations([*entries, message], 0, "/mnt/data/a.csv")) == 1
    assert citations([*entries, message], 2, "More.") == [], "of an earlier response"


@promise("code.files")
@given(st.text(max_size=30), st.text(alphabet="ab ./%é", min_size=1, max_size=8), st.text(max_size=30))
def test_every_citation_points_at_what_it_cites(before: str, name: str, after: str) -> None:
    path = f"/mnt/data/{name}"
    text = f"{before}{path}{after}"
    for note in citations([made(path)], 0, text):
        assert text[note["start_index"] : note["end_index"]].removeprefix("sandbox:") in (path, "", quoted(path))


def quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
