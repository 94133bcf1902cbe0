"""Servers die over files, at every stage of making them searchable; others go on. What is wanted comes, once."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from openai import OpenAI

from tests import documents
from tests.conftest import check_log
from tests.contract import promise
from tests.ingesting import prose, put, rows, settled, text_of, uploaded
from tests.postgres import url_of
from tests.process import Server
from tests.reading import readers
from tests.told import eventually
from tests.vectors import Vectors, embedding

MODEL = "bag"
LIMIT_S = 10.0


@pytest.fixture
def vectors() -> Iterator[Vectors]:
    with embedding(MODEL) as served:
        yield served


def embedded(path: Path, vectors: Vectors, **environment: str) -> Server:
    return Server(path, vectors.url, "--file-search-embedding", MODEL, **environment)


def bound(server: Server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="sk-test", max_retries=0)


@promise("ingestion.killed", "ingestion.given_up")
def test_a_server_that_is_killed_at_any_stage_loses_nothing_and_makes_nothing_twice(
    tmp_path: Path, vectors: Vectors
) -> None:
    """While a document is read, while windows are written, and while an embedder takes for ever over one file."""
    vectors.slow_word = "cursed"
    ours, text = embedded(tmp_path, vectors).start(), prose(60_000)
    pages = [f"w{at} stands on this page" for at in range(1500)]
    contents = {"long.pdf": documents.pdf(*pages), "cursed.txt": b"cursed", "long.txt": text.encode()}
    with bound(ours) as client:
        store_id, ids = put(client, contents)
        eventually(lambda: readers(ours.pid)[0], IndexError)
        _restarted(ours)
        eventually(lambda: 1 / (rows(ours, "SELECT COUNT(*) FROM search_window")[0][0] > 100), ZeroDivisionError)
        _restarted(ours)
        counts = lambda: client.vector_stores.retrieve(store_id).file_counts  # noqa: E731 (asked again and again)
        eventually(lambda: 1 / (counts().completed == 2), ZeroDivisionError, LIMIT_S)
        assert rows(ours, "SELECT filename, tries FROM vector_store_file WHERE tries > 0") == [("cursed.txt", 3)]
        _restarted(ours)
        files = settled(client, store_id, LIMIT_S)
        assert [files[ids[name]].status for name in contents] == ["completed", "failed", "completed"]
        error = files[ids["cursed.txt"]].last_error
        assert error and error.code == "server_error" and "several times" in error.message
        assert text_of(client, store_id, ids["long.txt"]) == text
        assert text_of(client, store_id, ids["long.pdf"]).count("stands on") == 1500
        hits = client.vector_stores.search(store_id, query="w77", max_num_results=50)
        assert len([hit for hit in hits.data if "w77 stands in" in hit.content[0].text]) == 1
    eventually(lambda: 1 / (rows(ours, "SELECT COUNT(*) FROM search_edition")[0][0] == 2), ZeroDivisionError)
    assert ours.stop() == 0
    check_log(ours.log())


def _restarted(server: Server) -> None:
    server.kill()
    server.start()


@promise("ingestion.left")
def test_a_server_that_is_asked_to_end_leaves_its_files_as_they_were(tmp_path: Path, vectors: Vectors) -> None:
    vectors.slow_word = "slow"
    ours = embedded(tmp_path, vectors).start()
    with bound(ours) as client:
        store_id, _ = put(client, {"slow.txt": b"slow bread"})
        eventually(lambda: vectors.asked[0], IndexError)
    began = time.monotonic()
    assert ours.stop() == 0
    assert time.monotonic() - began < 10
    assert rows(ours, "SELECT status, worker, making, tries FROM vector_store_file") == [("in_progress", None, None, 0)]
    vectors.go_on.set()
    ours.start()
    with bound(ours) as client:
        assert [file.status for file in settled(client, store_id, LIMIT_S).values()] == ["completed"]
    assert ours.stop() == 0
    check_log(ours.log())


@promise("ingestion.shared")
def test_servers_on_one_database_share_files_and_finish_those_of_the_dead(tmp_path: Path, vectors: Vectors) -> None:
    url = url_of(tmp_path)
    shared = {"GRAPHNEXUS_DATABASE_URL": url, "GRAPHNEXUS_SECRET_KEY": "both", "GRAPHNEXUS_LEASE_S": "2"}
    shared["GRAPHNEXUS_STORAGE_URL"] = str(tmp_path / "storage")
    a, b = (embedded(tmp_path / name, vectors, **shared).start() for name in "ab")
    vectors.slow_word = "slow"
    try:
        with bound(a) as client:
            ids = [uploaded(client, f"{at}.txt", b"slow bread %d" % at) for at in range(6)]
            store = client.vector_stores.create(file_ids=ids)
        with psycopg.connect(url, autocommit=True) as database:
            making = "SELECT worker, COUNT(*) FROM vector_store_file WHERE worker IS NOT NULL GROUP BY worker"
            eventually(lambda: 1 / (len(database.execute(making).fetchall()) == 2), ZeroDivisionError)
        a.kill()
        vectors.go_on.set()
        with bound(b) as client:
            files = settled(client, store.id, LIMIT_S)
            assert {file.status for file in files.values()} == {"completed"} and len(files) == 6
            hits = client.vector_stores.search(store.id, query="bread", max_num_results=50)
            assert sorted(hit.file_id for hit in hits) == sorted(ids)
    finally:
        a.kill()
        b.stop()
    check_log(b.log())
