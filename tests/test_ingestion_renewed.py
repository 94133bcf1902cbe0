"""Another embedder: files get its vectors in the background, and are found all the while."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.conftest import check_log
from tests.contract import promise
from tests.ingesting import found, prose, put, rows, settled
from tests.process import Server
from tests.told import eventually
from tests.vectors import NUMBERS, Vectors, embedding

RUSSIAN = "Хлеб и соль на столе.".encode()
VECTORS = "SELECT space, COUNT(*), SUM(LENGTH(vector)) FROM search_vector GROUP BY space ORDER BY space"


@pytest.fixture
def vectors() -> Iterator[Vectors]:
    with embedding("old", "new") as served:
        yield served


def embedded(path: Path, vectors: Vectors, *flags: str) -> Server:
    return Server(path, vectors.url, *flags).start()


@promise("ingestion.renewed")
def test_another_embedder_renews_vectors_behind_searches(tmp_path: Path, vectors: Vectors) -> None:
    """To one that knows English alone, and killed in the midst of it."""
    ours = embedded(tmp_path, vectors, "--file-search-embedding", "old")
    with OpenAI(base_url=ours.url, api_key="sk-test", max_retries=0) as client:
        store_id, ids = put(client, {"long.txt": prose(7_000).encode(), "russian.txt": RUSSIAN})
        before = settled(client, store_id)
        windows = rows(ours, "SELECT COUNT(*) FROM search_window")[0][0]
    _only(ours, "old", windows)
    ours.kill()
    vectors.slow_word = "w300 "
    english = ("--file-search-embedding", "new", "--file-search-embedding-languages", "english")
    ours = embedded(tmp_path, vectors, *english)
    eventually(lambda: next(1 for model, text in vectors.asked if model == "new" and "w300 " in text), StopIteration)
    with OpenAI(base_url=ours.url, api_key="sk-test", max_retries=0) as client:
        assert found(client, store_id, "w7")[0] == "long.txt"
    ours.kill()
    vectors.go_on.set()
    ours = embedded(tmp_path, vectors, *english)
    eventually(lambda: _only(ours, "new", windows - 1), AssertionError)
    with OpenAI(base_url=ours.url, api_key="sk-test", max_retries=0) as client:
        assert found(client, store_id, "w7")[0] == "long.txt"
        after = settled(client, store_id)
    assert after[ids["long.txt"]] == before[ids["long.txt"]]
    assert before[ids["russian.txt"]].usage_bytes - after[ids["russian.txt"]].usage_bytes == 4 * NUMBERS
    assert ours.stop() == 0
    check_log(ours.log())


def _only(server: Server, space: str, count: int) -> None:
    """Vectors are of this space alone, and so many."""
    assert [(of, many) for of, many, _ in rows(server, VECTORS)] == [(space, count)]
    assert {of for (of,) in rows(server, "SELECT space FROM search_edition")} == {space}
    assert not rows(server, "SELECT 1 FROM search_edition WHERE worker IS NOT NULL")
