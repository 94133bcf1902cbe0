"""Documents and sites that want to do harm: a 400 in bounded seconds and memory, and nobody else feels it."""

import asyncio
import base64
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodes.documents.known import Key, Known
from nodes.documents.parsed import Document, Page, Parsed, Unreadable
from nodes.documents.parser import Confines, Documents
from nodes.documents.turns import Turns
from nodes.fetching import Fetcher, FetchFailed
from nodes.reach import Reach
from tests import documents
from tests.conftest import StartServer
from tests.contract import promise
from tests.documents import Hostile
from tests.process import Server
from tests.reading import children, forking, readers
from tests.site import gzipped, serving
from tests.told import eventually
from tests.upstream import Upstream

Json = dict[str, Any]
SECONDS, MEMORY_MB = 1.5, 256
HOSTILE = {one.name: one for one in documents.hostile()}


@pytest.fixture(scope="module")
def strict(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"DOCUMENT_TIMEOUT_S": SECONDS, "DOCUMENT_MEMORY_BYTES": MEMORY_MB << 20, "HOLD_CREATED_S": 0.1}
    named = {f"GRAPHNEXUS_{name}": str(value) for name, value in limits.items()}
    ours = Server(tmp_path_factory.mktemp("strict"), upstream.url, **named).start()
    yield ours
    ours.stop()


def asked(server: Server, model: str, one: Hostile) -> httpx2.Response:
    part = {"type": "input_file", "filename": one.name, "file_data": base64.b64encode(one.content).decode()}
    body = {"model": model, "input": [{"role": "user", "content": [part]}], "stream": True}
    return httpx2.post(f"{server.url}/responses", json=body, timeout=30)


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def reading(**confines: int) -> AsyncIterator[Documents]:
    """What reads documents, in the hand."""
    reader = Documents(Confines(**confines))
    try:
        yield reader
    finally:
        await reader.close()


@promise("input_file.hostile")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_in_bounded_time_and_memory(strict: Server, model: str, name: str) -> None:
    before, began = memory_mb(strict.pid), time.monotonic()
    answer = asked(strict, model, HOSTILE[name])
    seconds, grown_mb = time.monotonic() - began, memory_mb(strict.pid) - before
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "input[0].content[0].file_data")
    assert error["code"] == ("invalid_value" if name == "locked.pdf" else "unsupported_file")
    assert name in error["message"] and HOSTILE[name].said in error["message"]
    assert seconds < SECONDS + 2
    assert grown_mb < 40
    eventually(lambda: 1 / (not readers(strict.pid)), ZeroDivisionError)


@promise("input_file.unharmed")
def test_others_are_answered_at_once_while_documents_are_read(strict: Server, model: str) -> None:
    reading = threading.Thread(target=asked, args=(strict, model, HOSTILE["slow.html"]))
    reading.start()
    eventually(lambda: 1 / len(readers(strict.pid)), ZeroDivisionError)
    took = list[float]()
    with httpx2.Client() as client:
        while reading.is_alive():
            began = time.monotonic()
            assert client.get(f"{strict.origin}/health").status_code == 200
            took.append(time.monotonic() - began)
            time.sleep(0.02)
    assert len(took) > 5 and sorted(took)[len(took) // 2] < 0.3


@promise("input_file.orphans")
def test_a_reading_process_dies_with_its_server(start_server: StartServer, model: str) -> None:
    ours = start_server()
    threading.Thread(target=_asked_in_vain, args=(ours, model), daemon=True).start()
    pid = eventually(lambda: readers(ours.pid)[0], IndexError)
    ours.kill()

    def gone() -> None:
        if (status := Path(f"/proc/{pid}/status")).exists():
            assert "State:\tZ" in status.read_text()

    eventually(gone, AssertionError)


def _asked_in_vain(server: Server, model: str) -> None:
    try:
        asked(server, model, HOSTILE["slow.html"])
    except httpx2.HTTPError:
        return


@promise("input_file.hostile")
async def test_reading_starts_at_once_and_holds_to_its_memory() -> None:
    took = list[float]()
    async with reading(memory_bytes=128 * 2**20) as reader:
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(Unreadable):
                await reader.parse("me", Document(HOSTILE["archive.zip"].content, "a.zip"), 10)
            took.append(time.monotonic() - began)
        assert min(took) < 0.15
        with pytest.raises(Unreadable, match="more than 128 MB of memory"):
            await reader.parse("me", Document(HOSTILE["swelling.pdf"].content, "a.pdf"), 10)


@promise("input_file.warm")
async def test_no_page_waits_for_what_reads_it_to_be_imported() -> None:
    took = list[float]()
    async with reading() as reader:
        await reader.warm()
        for number in range(6):
            page = f"<html><title>{number}</title><article><p>The fee is {number} euros.</p></article>"
            began = time.monotonic()
            parsed = await reader.parse("me", Document(page.encode(), "", "text/html"), 100, web=True)
            took.append(time.monotonic() - began)
            assert parsed.text == f"[{number}]\n# {number}\n\nThe fee is {number} euros."
            await asyncio.sleep(0.08 * (number % 2))  # there is one that waits for it, or there is not
    assert min(took) < 0.1, "to import it takes more than twice that"


@promise("input_file.warm")
async def test_what_forks_the_readers_is_started_again_when_it_was_killed() -> None:
    async with reading() as reader:
        slow = asyncio.create_task(reader.parse("me", Document(documents.pdf(*["Hello"] * 3000), "a.pdf"), 100))
        while not readers(os.getpid()):
            await asyncio.sleep(0.005)
        (parent,) = forking(os.getpid())
        os.kill(parent, signal.SIGKILL)
        assert (await slow).chars == 5 * 3000, "read again"
        (parent,) = forking(os.getpid())
        while not (waiting := children(parent)):
            await asyncio.sleep(0.01)
        os.kill(waiting[0], signal.SIGKILL)
        assert (await reader.parse("me", Document(documents.pdf("Hi"), "a.pdf"), 100)).chars == 2
        assert forking(os.getpid()) == [parent]
    assert not forking(os.getpid())


@promise("input_file.warm")
async def test_a_document_that_nobody_waits_for_is_not_read_on() -> None:
    async with reading() as reader:
        slow = asyncio.create_task(reader.parse("me", Document(HOSTILE["slow.html"].content, "a.html"), 100))
        while not readers(os.getpid()):
            await asyncio.sleep(0.005)
        slow.cancel()
        async with asyncio.timeout(2):
            while readers(os.getpid()):
                await asyncio.sleep(0.01)


@promise("input_file.unharmed")
async def test_no_owner_has_all_who_read() -> None:
    turns, order = Turns(2), list[str]()

    async def read(owner: str, until: asyncio.Event) -> None:
        async with turns.taken(owner):
            order.append(owner)
            await until.wait()

    until = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for owner in ("ann", "ann", "bob", "ann"):
            tasks.create_task(read(owner, until))
        await asyncio.sleep(0.02)
        assert order == ["ann", "bob"]
        until.set()
    assert order == ["ann", "bob", "ann", "ann"]


@promise("input_file.known")
async def test_a_document_that_comes_again_is_not_read_again() -> None:
    document = Document(documents.pdf("Hello", "again"), "a.pdf")
    async with reading() as reader:
        first = await reader.parse("ann", document, 100)
        await reader.close()
        assert await reader.parse("bob", Document(document.content, "b.pdf"), 100) == first
        assert not forking(os.getpid()), "nothing was started for it"
        assert (await reader.parse("ann", document, 7)).text == "[page 1]\nHello\n\n[page 2]\nag"


@promise("input_file.known")
def test_what_was_read_is_forgotten_when_there_is_too_much_of_it() -> None:
    known = Known(limit_chars=10)
    keys = [Key.of(b"%d" % at, "pdf", "", 100) for at in range(4)]
    for key, chars in zip(keys, (4, 4, 4, 11), strict=True):
        known.put(key, Parsed([Page("", "x" * chars)], chars))
        known.get(keys[0])  # used, and so kept
    assert [known.get(key) is not None for key in keys] == [True, False, True, False]


@promise("input_file.reach")
async def test_a_name_that_changes_its_mind_is_met_where_it_was_checked_and_then_refused() -> None:
    answers = ["127.0.0.1", "127.0.0.1", "169.254.169.254"]

    async def fickle(host: str, port: int) -> list[str]:
        return [answers.pop(0)]

    fetcher = Fetcher(Reach(loopback=True, resolve=fickle))
    with serving() as site:
        site.has("/a.txt", b"a")
        found = await fetcher.fetch(site.url("/a.txt", "fickle.example"))
        assert (found.content, site.hosts, len(answers)) == (b"a", {f"fickle.example:{site.port}"}, 2)
        with pytest.raises(FetchFailed, match="not on the public internet"):
            await fetcher.fetch(site.url("/to?url=/a.txt", "fickle.example"))
    assert not answers


@promise("input_file.fetch_limits")
@pytest.mark.parametrize("encoding", ["br", "gzip", "zstd", "gzip, gzip"])
async def test_what_is_packed_oddly_is_not_taken(encoding: str) -> None:
    with serving() as site:
        url = site.has("/a.txt", b"\x1f\x8b\x08 nothing", content_encoding=encoding)
        with pytest.raises(FetchFailed, match="compressed"):
            await Fetcher(Reach(loopback=True)).fetch(url)


@promise("input_file.fetch_limits")
async def test_crumbs_are_no_meal_and_hold_up_nobody() -> None:
    turns, fetcher = 0, Fetcher(Reach(loopback=True))

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with serving() as site:
        waiting = asyncio.create_task(others())
        with pytest.raises(FetchFailed, match="pieces that are too small"):
            await fetcher.fetch(site.url("/crumbs"))
        waiting.cancel()
        assert turns > 600, "one for every sixteen of ten thousand pieces"
        assert site.taken_bytes < 20_000_000


@promise("input_file.fetch_limits")
async def test_what_follows_a_packed_file_is_not_waited_for() -> None:
    with serving() as site:
        url = site.has("/a.txt", gzipped(b"a") + bytes(2_000_000), content_encoding="gzip")
        assert (await Fetcher(Reach(loopback=True)).fetch(url, 100_000)).content == b"a"


@promise("input_file.fetch_limits")
@pytest.mark.parametrize("port", [2**16, 99999, 10**20])
async def test_a_port_that_cannot_be_is_one_that_nobody_is_at(port: int) -> None:
    with pytest.raises(FetchFailed, match="could not be reached"):
        await Fetcher(Reach(loopback=True)).fetch(f"http://127.0.0.1:{port}/")
