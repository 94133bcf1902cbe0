"""`/v1/vector_stores` through the official client."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests import postgres
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.told import eventually

Json = dict[str, Any]
UNKNOWN = "vs_" + "0" * 48
TEXTS = {
    "fees.txt": "The library card costs 20 euros a year. Children pay nothing.",
    "hours.md": "# Opening hours\n\nThe library opens at nine and closes at five.",
    "dogs.txt": "Dogs must wait outside. Guide dogs may come in.",
}
_TABLES = ("vector_store_file", "vector_store_attribute", "search_edition", "search_window", "search_words")


def filled(client: OpenAI, texts: Mapping[str, str] = TEXTS, **said: Any) -> tuple[str, dict[str, str]]:
    """A store with these files, all searchable: its id, and those of the files by name."""
    store = client.vector_stores.create(**said)
    ids = {
        name: client.files.create(file=(name, text.encode()), purpose="assistants").id for name, text in texts.items()
    }
    batch = client.vector_stores.file_batches.create_and_poll(
        vector_store_id=store.id, file_ids=list(ids.values()), poll_interval_ms=50
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", len(texts))
    return store.id, ids


def static(tokens: int, overlap: int) -> Json:
    return {"type": "static", "static": {"max_chunk_size_tokens": tokens, "chunk_overlap_tokens": overlap}}


def found(client: OpenAI, store: str, query: str | list[str], **said: Any) -> list[str]:
    """Names of the files, the best first."""
    return [one.filename for one in client.vector_stores.search(store, query=query, **said).data]


@promise("stores.crud")
def test_a_store_is_made_read_changed_and_deleted(client: OpenAI, http: httpx2.Client) -> None:
    made = client.vector_stores.create(
        name="Docs", description="All", metadata={"a": "b"}, expires_after={"anchor": "last_active_at", "days": 7}
    )
    assert made.id.startswith("vs_")
    assert http.get(f"/vector_stores/{made.id}").json() == {
        "id": made.id, "object": "vector_store", "created_at": made.created_at, "name": "Docs", "description": "All",
        "usage_bytes": 0, "status": "completed", "metadata": {"a": "b"}, "last_active_at": made.created_at,
        "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
        "expires_after": {"anchor": "last_active_at", "days": 7}, "expires_at": made.created_at + 7 * 86_400,
    }  # fmt: skip
    changed = client.vector_stores.update(made.id, name="Papers", metadata={"c": "d"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_after) == ("Papers", {"c": "d"}, None)
    assert client.vector_stores.update(made.id, metadata={}).name == "Papers"
    gone = http.delete(f"/vector_stores/{made.id}").json()
    assert gone == {"id": made.id, "object": "vector_store.deleted", "deleted": True}
    with pytest.raises(NotFoundError):
        client.vector_stores.retrieve(made.id)


@promise("stores.listed")
def test_stores_are_listed_in_pages_forwards_and_backwards(client: OpenAI, http: httpx2.Client) -> None:
    ids = [client.vector_stores.create(name=str(at)).id for at in range(5)]
    page = client.vector_stores.list(order="desc", limit=3)
    assert ([one.id for one in page.data], page.has_more) == (ids[:1:-1], True)
    assert [one.id for one in client.vector_stores.list(order="asc", after=ids[1], limit=2).data] == ids[2:4]
    back = client.vector_stores.list(order="asc", before=ids[4], limit=3)
    assert ([one.id for one in back.data], back.has_more) == (ids[1:4], True)
    assert http.get("/vector_stores", params={"before": UNKNOWN}).json()["error"]["param"] == "before"
    both = http.get("/vector_stores", params={"before": ids[0], "after": ids[1]}).json()["error"]
    assert both["code"] == "mutually_exclusive_parameters"


@promise("stores.files", "stores.attributes", "stores.search")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_files_become_searchable_and_are_counted(
    kind: str, start_server: StartServer, recorder: Recorder, tmp_path: Path
) -> None:
    place = {"GRAPHNEXUS_DATABASE_URL": postgres.url_of(tmp_path)} if kind == "postgresql" else {}
    with client_of(start_server(**place), recorder) as client:
        store, ids = filled(client)
        shown = client.vector_stores.retrieve(store)
        sizes = [one.usage_bytes for one in client.vector_stores.files.list(store)]
        assert sum(sizes) == shown.usage_bytes == sum(len(text.encode()) for text in TEXTS.values())
        assert (shown.status, shown.file_counts.completed, shown.file_counts.total) == ("completed", 3, 3)
        scan = client.files.create(file=("scan.png", b"\x89PNG\r\n\x1a\n" + bytes(64)), purpose="assistants")
        failed = client.vector_stores.files.create_and_poll(scan.id, vector_store_id=store, poll_interval_ms=50)
        assert failed.status == "failed"
        assert failed.last_error and failed.last_error.code == "unsupported_file"
        assert client.vector_stores.retrieve(store).file_counts.failed == 1
        assert [one.id for one in client.vector_stores.files.list(store, filter="failed")] == [scan.id]
        assert [one.id for one in client.vector_stores.files.list(store, order="asc", limit=2)] == [
            *ids.values(),
            scan.id,
        ]
        assert found(client, store, "When does it open?") == ["hours.md"]
        everything(client, store)
        animals: Any = {"type": "eq", "key": "about", "value": "animals"}
        assert found(client, store, "a dog", filters=animals) == []
        client.vector_stores.files.update(ids["dogs.txt"], vector_store_id=store, attributes={"about": "animals"})
        assert found(client, store, "a dog", filters=animals) == ["dogs.txt"]
        client.files.delete(ids["dogs.txt"])
        assert found(client, store, "a dog") == []
        assert client.vector_stores.retrieve(store).file_counts.total == 3


def everything(client: OpenAI, store: str) -> None:
    """Languages, letters and several questions at once."""
    both = found(client, store, ["the price of the card", "guide dog"], max_num_results=2)
    assert sorted(both) == ["dogs.txt", "fees.txt"]
    top = client.vector_stores.search(store, query="LIBRARY cards for CHILDREN").data[0]
    assert (top.filename, top.content[0].text) == ("fees.txt", TEXTS["fees.txt"])
    assert 0 < top.score <= 1
    assert found(client, store, "card", ranking_options={"score_threshold": 1.0}) == []


@promise("stores.files", "stores.listed")
def test_batches_show_how_far_they_are_and_can_be_cancelled(client: OpenAI, http: httpx2.Client) -> None:
    store = client.vector_stores.create()
    ids = [client.files.create(file=(f"{at}.txt", b"words " * 9), purpose="assistants").id for at in range(3)]
    files = [
        {"file_id": id, "attributes": {"at": at}, "chunking_strategy": {"type": "auto"}} for at, id in enumerate(ids)
    ]
    made = http.post(f"/vector_stores/{store.id}/file_batches", json={"files": files}).json()
    assert made["object"] == "vector_store.file_batch"
    client.vector_stores.file_batches.poll(made["id"], vector_store_id=store.id, poll_interval_ms=50)
    listed = client.vector_stores.file_batches.list_files(made["id"], vector_store_id=store.id, order="asc", limit=2)
    assert [(one.id, one.attributes) for one in listed] == [(id, {"at": at}) for at, id in enumerate(ids)]
    cancelled = client.vector_stores.file_batches.cancel(made["id"], vector_store_id=store.id)
    assert cancelled.file_counts.completed == 3, "what is searchable stays so"
    client.vector_stores.files.delete(ids[0], vector_store_id=store.id)
    counts = client.vector_stores.file_batches.retrieve(made["id"], vector_store_id=store.id).file_counts
    assert (counts.completed, counts.cancelled, counts.total) == (2, 1, 3)


@promise("stores.files")
def test_chunks_are_as_large_as_is_asked(client: OpenAI) -> None:
    text = " ".join(f"Sentence number {at} speaks of thing{at}." for at in range(400))
    id = client.files.create(file=("long.txt", text.encode()), purpose="assistants").id
    sizes: list[int] = []
    for tokens, overlap in ((200, 0), (1600, 400)):
        strategy: Any = static(tokens, overlap)
        store = client.vector_stores.create(file_ids=[id], chunking_strategy=strategy)
        file = client.vector_stores.files.poll(id, vector_store_id=store.id, poll_interval_ms=50)
        assert file.chunking_strategy and file.chunking_strategy.to_dict() == strategy
        found = client.vector_stores.search(store.id, query="thing200").data[0].content[0].text
        assert "thing200" in found
        sizes.append(len(found))
        content = client.vector_stores.files.content(id, vector_store_id=store.id)
        assert "".join(one.text or "" for one in content) == text
    assert 4 * sizes[0] < sizes[1] < len(text)


@promise("stores.content")
def test_what_searches_see_can_be_read(client: OpenAI) -> None:
    page = "<html><body><h1>Tea</h1><script>no()</script><p>Two minutes.</p></body></html>"
    store, ids = filled(client, {"tea.html": page})
    (content,) = client.vector_stores.files.content(ids["tea.html"], vector_store_id=store)
    assert content.text and "Tea" in content.text and "Two minutes." in content.text and "no()" not in content.text


@promise("stores.deleted")
def test_what_is_deleted_is_nowhere_after_a_moment(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server()
    with client_of(server, recorder) as client:
        store, ids = filled(client)
        client.vector_stores.files.update(ids["fees.txt"], vector_store_id=store, attributes={"a": 1})
        client.vector_stores.files.delete(ids["fees.txt"], vector_store_id=store)
        assert found(client, store, "card") == []
        with pytest.raises(NotFoundError):
            client.vector_stores.files.retrieve(ids["fees.txt"], vector_store_id=store)
        client.vector_stores.delete(store)
        database = sqlite3.connect(server.data_dir / "kept" / "graphnexus.db")

        def nothing_left() -> None:
            left = {table: database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in _TABLES}
            assert not any(left.values()), left

        eventually(nothing_left, AssertionError)
        database.close()
        assert client.files.retrieve(ids["fees.txt"]).filename == "fees.txt", "files outlive their stores"


@promise("stores.expired")
def test_a_store_that_was_not_used_expires(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server()
    with client_of(server, recorder) as client:
        store, _ = filled(client, expires_after={"anchor": "last_active_at", "days": 1})
        with sqlite3.connect(server.data_dir / "kept" / "graphnexus.db") as database:
            database.execute("UPDATE vector_store SET used_at = used_at - 90000")
        database.close()
        assert client.vector_stores.retrieve(store).status == "expired"
        with pytest.raises(BadRequestError, match="expired"):
            client.vector_stores.search(store, query="card")
        assert (
            client.vector_stores.update(store, expires_after={"anchor": "last_active_at", "days": 2}).status
            == "completed"
        )
        before = time.time() - 5
        assert found(client, store, "card") == ["fees.txt"]
        assert (client.vector_stores.retrieve(store).last_active_at or 0) > before


BAD: Sequence[tuple[str, Json, str]] = [
    ("", {"name": 7}, "name"),
    ("", {"metadata": {"k" * 65: "v"}}, "metadata"),
    ("", {"expires_after": {"anchor": "last_active_at", "days": 366}}, "expires_after.days"),
    ("", {"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor"),
    ("", {"file_ids": ["file-none"]}, "file_ids[0]"),
    ("", {"chunking_strategy": static(99, 0)},
     "chunking_strategy.static.max_chunk_size_tokens"),
    ("", {"chunking_strategy": static(100, 51)},
     "chunking_strategy"),
    ("/{}/files", {}, "file_id"),
    ("/{}/files", {"file_id": "file-none"}, "file_id"),
    ("/{}/files", {"file_id": "file-none", "attributes": {"a": [1]}}, "attributes.a"),
    ("/{}/files", {"file_id": "file-none", "attributes": {str(at): at for at in range(17)}}, "attributes"),
    ("/{}/file_batches", {}, "file_ids"),
    ("/{}/file_batches", {"file_ids": ["a"], "files": [{"file_id": "a"}]}, "file_ids"),
    ("/{}/file_batches", {"files": [{"file_id": "file-none"}]}, "files[0].file_id"),
    ("/{}/search", {}, "query"),
    ("/{}/search", {"query": ""}, "query"),
    ("/{}/search", {"query": "a", "max_num_results": 51}, "max_num_results"),
    ("/{}/search", {"query": "a", "filters": {"type": "eq", "key": "a"}}, "filters.value"),
    ("/{}/search", {"query": "a", "filters": {"type": "and", "filters": [{"type": "like", "key": "a", "value": 1}]}},
     "filters.filters[0].type"),
    ("/{}/search", {"query": "a", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
    ("/{}/search", {"query": "a", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "param"), BAD)
@promise("stores.bodies")
def test_a_body_that_cannot_be_names_its_place(
    path: str, body: Json, param: str, client: OpenAI, http: httpx2.Client
) -> None:
    store = client.vector_stores.create().id
    refused = http.post("/vector_stores" + path.format(store), json=body)
    assert refused.status_code in (400, 404), refused.text
    assert refused.json()["error"]["param"].startswith(param), refused.text
    assert client.vector_stores.retrieve(store).file_counts.total == 0


@promise("stores.owners")
def test_another_owners_stores_are_not_there(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server(GRAPHNEXUS_API_KEYS="ann:sk-ann,bob:sk-bob")
    with client_of(server, recorder) as plain:
        ann, bob = plain.with_options(api_key="sk-ann"), plain.with_options(api_key="sk-bob")
        store, ids = filled(ann)
        own, _ = filled(bob, {"own.txt": "Nothing of a card."})
        for ask in (
            lambda: bob.vector_stores.retrieve(store),
            lambda: bob.vector_stores.search(store, query="card"),
            lambda: bob.vector_stores.files.list(store),
            lambda: bob.vector_stores.files.create(own, file_id=ids["fees.txt"]),
            lambda: bob.vector_stores.update(store, name="mine"),
            lambda: bob.vector_stores.delete(store),
        ):
            with pytest.raises(NotFoundError):
                ask()
        assert found(bob, own, "card") == ["own.txt"]
        assert [one.id for one in bob.vector_stores.list()] == [own]
        assert found(ann, store, "card") == ["fees.txt"]
