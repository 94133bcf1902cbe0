"""Files put into vector stores become searchable, or say why not; what nobody wants any more is not made."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from openai import NotFoundError, OpenAI

from tests import documents
from tests.conftest import TIMEOUT_S
from tests.contract import promise
from tests.documents import TRAVELLED
from tests.ingesting import Contents, children, found, prose, put, rows, settled, text_of, uploaded
from tests.process import Server
from tests.reading import readers
from tests.test_hostile_files import memory_mb
from tests.told import eventually
from tests.upstream import Upstream

KINDS: dict[str, tuple[bytes, str]] = {
    "bird.txt": (f"One.\r\n\r\n{TRAVELLED}\n".encode(), f"One.\n\n{TRAVELLED}\n"),
    "bird.csv": ("Vögel;1\n".encode("utf-16"), "Vögel;1\n"),
    "bird.pdf": (documents.pdf("Hello", "again"), "[page 1]\nHello\n\n[page 2]\nagain"),
    "bird.docx": (documents.word(TRAVELLED), f"## Birds\n{TRAVELLED}\nleft | right"),
    "bird.xlsx": (documents.workbook(["bread", 2]), "[sheet Prices]\nbread,2\n"),
    "bird.html": (f"<title>Birds</title><p>{TRAVELLED}</p>".encode(), f"# Birds\n\n{TRAVELLED}"),
}
REFUSED: dict[str, tuple[str, str]] = {
    "scan.pdf": ("unsupported_file", "no text"),
    "archive.zip": ("unsupported_file", "archive"),
    "program.exe": ("unsupported_file", "type"),
    "picture.png": ("unsupported_file", "image"),
    "blank.txt": ("unsupported_file", "no text"),
    "damaged.pdf": ("invalid_file", "no PDF"),
    "locked.pdf": ("invalid_file", "password"),
    "deep.pdf": ("invalid_file", "no PDF"),
    "bomb.xlsx": ("invalid_file", "unpack"),
    "many.docx": ("invalid_file", "members"),
    "laughs.docx": ("invalid_file", "read"),
    "swelling.pdf": ("invalid_file", "damaged"),
    "long.txt": ("invalid_file", "split it"),
}
XXE = (
    '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><w:document '
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body><w:p><w:r><w:t>before &e; after</w:t></w:r></w:p></w:body></w:document>"
)


@pytest.fixture(scope="module")
def strict(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"DOCUMENT_TIMEOUT_S": 10, "DOCUMENT_MEMORY_BYTES": 256 << 20, "FILE_SEARCH_FILE_CHARS": 2_000_000}
    named = {f"GRAPHNEXUS_{name}": str(value) for name, value in limits.items()}
    ours = Server(tmp_path_factory.mktemp("strict"), upstream.url, **named).start()
    yield ours
    ours.stop()


@pytest.fixture
def confined(strict: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=strict.url, api_key="sk-test", max_retries=0, timeout=TIMEOUT_S) as bound:
        yield bound


@promise("ingestion.kinds")
def test_documents_of_every_kind_become_searchable(client: OpenAI) -> None:
    store_id, ids = put(client, {name: content for name, (content, _) in KINDS.items()})
    files = settled(client, store_id)
    for name, (_, text) in KINDS.items():
        file = files[ids[name]]
        assert (file.status, file.last_error) == ("completed", None), name
        assert file.usage_bytes > 0
        assert text_of(client, store_id, file.id).strip() == text.strip(), name
    assert found(client, store_id, "bread") == ["bird.xlsx"]


@promise("ingestion.kinds")
def test_windows_put_together_are_the_text(client: OpenAI) -> None:
    text = prose(9_000) + "\n" * 120_000 + "漢字" * 700 + "x" * 3_000 + "\u2028ä\n "
    store_id, ids = put(client, {"long.txt": text.encode()})
    file = settled(client, store_id)[ids["long.txt"]]
    assert text_of(client, store_id, file.id) == text
    assert file.usage_bytes == len(text.encode())


@promise("ingestion.refused", "ingestion.hostile")
def test_what_cannot_be_read_says_why_and_harms_nobody(strict: Server, confined: OpenAI) -> None:
    hostile = {one.name: one.content for one in documents.hostile()}
    own: Contents = {"picture.png": documents.png(), "blank.txt": b" \n" * 500, "long.txt": b"word " * 400_001}
    secret = documents.zipped({**_members(documents.word("x")), "word/document.xml": XXE})
    given = {name: {**hostile, **own}[name] for name in REFUSED}
    store_id, ids = put(confined, {**given, "secret.docx": secret, "good.txt": b"bread"})
    took = list[float]()
    with httpx2.Client() as other:
        while confined.vector_stores.retrieve(store_id).file_counts.in_progress:
            began = time.monotonic()
            assert other.get(f"{strict.origin}/health").status_code == 200
            took.append(time.monotonic() - began)
    files = settled(confined, store_id)
    for name, (code, said) in REFUSED.items():
        error = files[ids[name]].last_error
        assert files[ids[name]].status == "failed" and error, name
        assert error.code == code and said in error.message, (name, error)
    assert found(confined, store_id, "bread") == ["good.txt"]
    assert "root:" not in text_of(confined, store_id, ids["secret.docx"])
    assert sorted(took)[len(took) // 2] < 0.1
    eventually(lambda: 1 / (not readers(strict.pid)), ZeroDivisionError)


@promise("ingestion.hostile")
def test_a_file_of_nothing_but_a_hole_is_refused(strict: Server, confined: OpenAI) -> None:
    """One as large as may be, and one that has become larger than its row says."""
    large, larger = uploaded(confined, "hole.bin", bytes(32 << 20)), uploaded(confined, "grown.bin", b"soon large")
    os.truncate(_kept(strict, b"soon large"), 2**30)
    store = confined.vector_stores.create(file_ids=[large, larger])
    before = memory_mb(strict.pid)
    files = settled(confined, store.id)
    errors = [files[id].last_error for id in (large, larger)]
    assert [error.code for error in errors if error] == ["unsupported_file", "invalid_file"]
    assert errors[1] and "more than 100 MB" in errors[1].message
    assert memory_mb(strict.pid) - before < 200


def _kept(server: Server, content: bytes) -> Path:
    """Where a server keeps these bytes."""
    (path,) = (
        path
        for path in (server.data_dir / "kept" / "files").rglob("*")
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    )
    return path


@promise("ingestion.child_killed")
def test_a_child_that_is_killed_is_replaced(strict: Server, confined: OpenAI) -> None:
    text = prose(150_000)
    pages = [f"w{at} stands on this page" for at in range(1500)]
    store_id, ids = put(confined, {"long.txt": text.encode(), "long.pdf": documents.pdf(*pages)})
    for working in (readers, lambda pid: children(pid, "file_search/cutting.py")):
        os.kill(eventually(lambda working=working: working(strict.pid)[0], IndexError), signal.SIGKILL)
    files = settled(confined, store_id)
    assert [files[id].last_error for id in ids.values()] == [None, None]
    assert text_of(confined, store_id, ids["long.txt"]) == text
    assert text_of(confined, store_id, ids["long.pdf"]).count("stands on") == 1500


@promise("ingestion.again")
def test_a_file_that_is_put_there_again_is_found_all_the_while(server: Server, client: OpenAI) -> None:
    store_id, ids = put(client, {"again.txt": prose(20_000, "once").encode()})
    settled(client, store_id)
    before = text_of(client, store_id, ids["again.txt"])
    sizes = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}
    client.vector_stores.files.create(
        store_id,
        file_id=ids["again.txt"],
        attributes={"nth": 2},
        chunking_strategy={"type": "static", "static": sizes},  # type: ignore[typeddict-item]
    )
    while client.vector_stores.files.retrieve(ids["again.txt"], vector_store_id=store_id).status == "in_progress":
        assert found(client, store_id, "once7")
    assert client.vector_stores.retrieve(store_id).file_counts.total == 1
    assert text_of(client, store_id, ids["again.txt"]) == before
    stored = "SELECT COUNT(*) FROM search_edition e JOIN vector_store s ON s.number = e.store WHERE s.id = '{}'"
    eventually(lambda: 1 / (rows(server, stored.format(store_id))[0][0] == 1), ZeroDivisionError)
    (hit, *_) = client.vector_stores.search(store_id, query="once7")
    assert hit.attributes == {"nth": 2} and len(hit.content[0].text) < 1_500


@promise("ingestion.unwanted")
def test_what_is_removed_or_cancelled_meanwhile_is_not_made(server: Server, client: OpenAI) -> None:
    contents = {f"{at}.txt": prose(100_000, f"n{at}x").encode() for at in range(4)}
    ids = {name: uploaded(client, name, content) for name, content in contents.items()}
    store = client.vector_stores.create()
    batch = client.vector_stores.file_batches.create(store.id, file_ids=list(ids.values()))
    eventually(lambda: children(server.pid, "cutting.py")[0], IndexError)
    client.vector_stores.files.delete(ids["0.txt"], vector_store_id=store.id)
    client.files.delete(ids["1.txt"])
    client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    last = client.vector_stores.files.create_and_poll(
        uploaded(client, "last.txt", b"bread"), vector_store_id=store.id, poll_interval_ms=30
    )
    assert last.status == "completed"
    counts = client.vector_stores.retrieve(store.id).file_counts
    assert (counts.in_progress, counts.failed, counts.total) == (0, 0, 3)
    assert counts.cancelled + counts.completed == 3
    for name in ("0.txt", "1.txt"):
        with pytest.raises(NotFoundError):
            client.vector_stores.files.retrieve(ids[name], vector_store_id=store.id)
    assert found(client, store.id, "n0x7 n1x7") == []


@promise("ingestion.gone")
def test_a_file_whose_bytes_are_gone_fails(strict: Server, confined: OpenAI) -> None:
    id = uploaded(confined, "gone.txt", b"soon gone")
    _kept(strict, b"soon gone").unlink()
    store = confined.vector_stores.create()
    confined.vector_stores.files.create(store.id, file_id=id)
    error = settled(confined, store.id)[id].last_error
    assert error and error.code == "invalid_file"
    assert "not there" in error.message


def _members(archive: bytes) -> dict[str, str | bytes]:
    from io import BytesIO
    from zipfile import ZipFile

    with ZipFile(BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}
