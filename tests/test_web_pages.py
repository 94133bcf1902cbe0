"""Pages of the web on their way to a model: fetched with care, kept, asked again, and in nobody's way."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from nodes.fetching import Version
from nodes.web_search.pages.disk import Disk
from nodes.web_search.pages.webpage import Kept, Webpage
from tests.conftest import check_log, client_of
from tests.contract import promise
from tests.reading import forking, readers
from tests.recorder import Recorder
from tests.told import eventually
from tests.upstream import Script, Upstream, calls, says
from tests.web import PARAGRAPH, Web, made, opened, told

Json = dict[str, Any]
#: What asyncio says in debug mode of whatever holds up the event loop for 100 ms.
SLOW = "Executing <"


@pytest.fixture(scope="module")
def web(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Its pages are never fresh, and its event loop is watched."""
    told = {"GRAPHNEXUS_WEB_SEARCH_CACHE_TTL_S": "0.001", "PYTHONASYNCIODEBUG": "1"}
    with opened(upstream, tmp_path_factory.mktemp("pages"), **told) as web:
        yield web


@pytest.fixture
def client(web: Web, recorder: Recorder) -> Iterator[OpenAI]:
    before = web.server.log_size()
    with client_of(web.server, recorder) as client:
        yield client
    check_log(web.server.log(before))


def opens(client: OpenAI, script: Script, url: str, tool: Json | None = None, **said: Any) -> str:
    """What the model is told of a page."""
    script.will(calls("open_page", url=url), says("."))
    made(client, script.model, tool, **said)
    return told(script)


@promise("web_search.disk")
def test_pages_outlive_the_server_and_their_sites_are_only_asked_whether_they_have_changed(
    client: OpenAI, web: Web, script: Script
) -> None:
    known = {"/tagged": {"etag": '"v1"'}, "/dated": {"last_modified": "Sun, 22 Nov 2026 08:00:00 GMT"}}
    urls = {path: web.site.has(path, b"Monday.", content_type="text/plain", **by) for path, by in known.items()}
    for url in urls.values():
        assert "Monday." in opens(client, script, url)
    web.server.stop()
    web.server.start()
    for path, url in urls.items():
        assert "Monday." in opens(client, script, url, {"external_web_access": False})
        assert web.site.asked[path] == 1
        assert "Monday." in opens(client, script, url)
        assert (web.site.asked[path], web.site.unchanged[path]) == (2, 1)
        web.site.has(path, b"Tuesday.", content_type="text/plain", etag='"v2"')
        assert "Tuesday." in opens(client, script, url)
        assert "Tuesday." in opens(client, script, url, {"external_web_access": False})


@promise("web_search.disk")
def test_what_may_not_be_kept_is_not_on_disk(client: OpenAI, web: Web, script: Script) -> None:
    private = web.site.has("/mine", b"Only for one.", content_type="text/plain", cache_control="private, max-age=60")
    unstored = web.site.has("/unstored", b"Leaves no trace.", content_type="text/plain")
    stored = web.site.has("/stored", b"May be kept.", content_type="text/plain")
    opens(client, script, private)
    opens(client, script, unstored, store=False)
    opens(client, script, stored)
    kept = eventually(lambda: on_disk(web, stored), AssertionError)
    files = (web.server.data_dir / "kept").glob("pages.db*")
    assert private.encode() not in kept and unstored.encode() not in kept
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def on_disk(web: Web, url: str) -> bytes:
    """All that is kept there, this page among it."""
    kept = b"".join(path.read_bytes() for path in (web.server.data_dir / "kept").glob("pages.db*"))
    assert url.encode() in kept
    return kept


CHARSETS = [("windows-1251", "Библиотека"), ("Shift_JIS", "図書館は九時に"), ("ISO-8859-1", "Öffnung “heute”")]


@promise("web_search.charset")
@pytest.mark.parametrize(("charset", "text"), CHARSETS)
@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_the_charset_of_the_header_holds(
    client: OpenAI, web: Web, script: Script, charset: str, text: str, kind: str
) -> None:
    python = {"ISO-8859-1": "cp1252"}.get(charset, charset)
    lies = '<meta charset="utf-8">' if kind == "text/html" else ""
    page = f"<html><head>{lies}<title>t</title></head><body><p>{text * 5}</p></body></html>" if lies else text * 5
    url = web.site.has(f"/{charset}/{kind}", page.encode(python), content_type=f'{kind}; charset="{charset}"')
    assert text * 5 in opens(client, script, url)


@promise("web_search.charset")
@pytest.mark.parametrize("charset", ["punycode", "zip", "unicode_escape", "nonsense"])
def test_a_charset_that_cannot_be_is_not_heeded(client: OpenAI, web: Web, script: Script, charset: str) -> None:
    page = b"The caf\xc3\xa9 opens. " * 20 + b"!"
    url = web.site.has(f"/odd/{charset}", page, content_type=f"text/plain; charset={charset}")
    assert "The café opens." in opens(client, script, url)


@promise("web_search.domains", "web_search.robots")
def test_a_page_that_leads_elsewhere_is_not_followed_where_one_may_not_go(
    client: OpenAI, web: Web, script: Script
) -> None:
    there = f"http://localhost:{web.site.port}"
    away = web.site.url(f"/to?url={there}/elsewhere")
    web.site.has("/elsewhere", b"Elsewhere.", content_type="text/plain")
    only = {"filters": {"allowed_domains": ["127.0.0.1"]}}
    assert "not of the domains" in opens(client, script, away, only)
    assert not web.site.asked["/elsewhere"], "it was not even asked"
    web.site.has("/private/there", b"Secret.", content_type="text/plain")
    assert "asks robots not to read" in opens(client, script, web.site.url("/to?url=/private/there"))
    assert not web.site.asked["/private/there"]


@promise("web_search.unharmed")
def test_a_heavy_page_holds_nobody_up(client: OpenAI, web: Web, script: Script) -> None:
    before = web.server.log_size()
    paragraphs = "".join(f"<p>No {at}. {PARAGRAPH}</p><ul><li>one</li></ul>" for at in range(2500))
    heavy = web.site.has(
        "/heavy", f"<html><body><article>{paragraphs}</article></body></html>".encode(), content_type="text/html"
    )
    long = web.site.has("/long", (PARAGRAPH + "\n").encode() * 12_000, content_type="text/plain")
    assert len(web.site.pages["/heavy"][0]) > 300_000 and len(web.site.pages["/long"][0]) > 1_000_000
    assert "No 1. The library" in opens(client, script, heavy)
    opens(client, script, long)
    script.will(calls("find_in_page", url=long, pattern="NINE ON"), says("."))
    made(client, script.model)
    assert "lines have it" in told(script)
    assert SLOW not in web.server.log(before)


@promise("web_search.reach", "web_search.unharmed")
def test_a_bomb_stops_at_the_cap_and_nothing_has_grown(client: OpenAI, web: Web, script: Script) -> None:
    opens(client, script, web.site.has("/small", b"<p>Small.</p>", content_type="text/html"))
    (parent,) = forking(web.server.pid)
    for pid in (web.server.pid, parent):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the peak
    before, reading = peak_mb(web.server.pid), peak_mb(parent)
    assert "is larger than 10485760 bytes" in opens(client, script, web.site.url("/bomb"))
    assert peak_mb(web.server.pid) - before < 40
    assert peak_mb(parent) - reading < 5
    eventually(lambda: 1 / (not readers(web.server.pid)), ZeroDivisionError)


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def kept(text: str, fetched: float = 1.0) -> Kept:
    return Kept(Webpage("https://a.example/", "T", (text,)), fetched, Version("https://a.example/", '"1"', ""))


@promise("web_search.disk")
async def test_processes_share_pages_and_the_disk_has_a_bound(tmp_path: Path) -> None:
    ours, theirs = (Disk(tmp_path / "pages.db", 10_000) for _ in range(2))
    await ours.put("https://a.example/", kept("Hello"))
    assert await theirs.get("https://a.example/") == kept("Hello")
    for at in range(400):
        await theirs.put(f"https://a.example/{at}", kept("x"))
        if at % 50 == 0:
            time.sleep(0.002)
    assert await ours.get("https://a.example/399") and not await ours.get("https://a.example/")
    found = [await ours.get(f"https://a.example/{at}") for at in range(400)]
    assert 60 < len([one for one in found if one]) < 200
    await ours.close()
    await theirs.close()


@promise("web_search.disk")
async def test_a_file_that_is_none_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "pages.db").write_bytes(b"not a database " * 100)
    disk = Disk(tmp_path / "pages.db", 10_000)
    await disk.put("https://a.example/", kept("Hello"))
    assert await disk.get("https://a.example/") is None
    assert [record.message for record in caplog.records] == ["Pages are not kept on disk"]
    await disk.close()
