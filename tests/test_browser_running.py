"""Browsers as they run: shut in, one a conversation, kept for a time, and made up for when they die."""

import io
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from tests.conftest import StartServer
from tests.contract import promise
from tests.ingesting import children
from tests.process import Server
from tests.site import Site, serving
from tests.test_browser import ref
from tests.upstream import Script, calls, says

Json = dict[str, Any]
BROWSER: Any = {"type": "browser"}
NEVER: Any = {"type": "mcp", "server_label": "web", "connector_id": "connector_browser", "require_approval": "never"}
COOKIE = b"<title>Here</title><p id=c></p><script>c.textContent = 'cookie: ' + (document.cookie || 'none')</script>"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        site.has("/", COOKIE, content_type="text/html", set_cookie="seen=yes; path=/")
        site.has("/blue", b"<title>Blue</title><body style='background: blue'>Sky", content_type="text/html")
        site.has("/file", b"a,b\n1,2\n", content_type="text/csv", content_disposition='attachment; filename="t.csv"')
        site.has("/get", b"<title>Get</title><a href=/file>Take it</a>", content_type="text/html")
        yield site


@pytest.fixture
def client(browsing: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=browsing.url, api_key="any", max_retries=0, timeout=60) as client:
        yield client


def goes(url: str) -> Any:
    return calls("browser_navigate", {"url": url})


def steps(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "mcp_call"]


def chromiums(server: Server) -> list[int]:
    """Outermost processes of browsers that this server has started, by their directories."""
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _is_ours(path, server)]
    return sorted(found)


def _is_ours(cmdline: Path, server: Server) -> bool:
    try:
        words = cmdline.read_bytes()
        return (
            b"bwrap\0" in words and b"graphnexus-browser-" in words and _descends(int(cmdline.parent.name), server.pid)
        )
    except (OSError, RuntimeError):
        return False


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


@promise("browser.steps")
def test_a_step_shows_its_call_and_a_picture_of_what_it_led_to(client: OpenAI, script: Script, site: Site) -> None:
    script.will(goes(site.url("/blue")), says("The sky."))
    made = client.responses.create(model=script.model, input="Look.", tools=[BROWSER])
    (step,) = steps(made)
    assert (step.name, step.server_label, step.status) == ("browser_navigate", "browser", "completed")
    assert "Sky" in (step.output or "")
    assert made.output_text == "The sky."
    content = client.files.content(step.model_extra["screenshot"]["file_id"]).read()
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    red, green, blue = picture.getpixel((600, 400))  # type: ignore[misc]
    assert (red < 30, green < 30, blue > 220) == (True, True, True)


@promise("browser.kept")
def test_a_conversation_keeps_its_browser_and_no_other_sees_it(client: OpenAI, script: Script, site: Site) -> None:
    script.will(
        goes(site.url("/")), says("Set."), goes(site.url("/")), says("There."), goes(site.url("/")), says("No.")
    )
    first = client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    again = client.responses.create(model=script.model, input="On.", tools=[BROWSER], previous_response_id=first.id)
    other = client.responses.create(model=script.model, input="Go.", tools=[NEVER])
    said = [step.output or "" for response in (first, again, other) for step in steps(response)]
    assert ["cookie: seen=yes" in text for text in said] == [True, True, True]
    assert site.asked["/"] >= 3
    assert [item.type for item in other.output] == ["mcp_list_tools", "mcp_call", "message"]
    ids = [step.model_extra["browser_id"] for response in (first, again, other) for step in steps(response)]
    assert ids[0] == ids[1] != ids[2]


@promise("browser.shut_in")
def test_a_page_reaches_neither_this_machine_nor_its_network(client: OpenAI, script: Script, site: Site) -> None:
    port = site.port
    tries = [
        "http://169.254.169.254/latest/meta-data/", f"http://127.0.0.2:{port}/blue", f"http://0.0.0.0:{port}/blue",
        f"http://[::1]:{port}/blue", f"http://0x7f000002:{port}/blue", f"http://2130706434:{port}/blue",
        "file:///etc/passwd", "file:///proc/self/environ",
    ]  # fmt: skip
    frames = "".join(f'<iframe src="{url}"></iframe>' for url in tries[:2] + tries[-2:])
    fetches = "".join(f"fetch('{url}', {{mode: 'no-cors'}}).catch(() => 0);" for url in tries)
    site.has("/bad", f"{frames}<script>{fetches}</script>".encode(), content_type="text/html")
    asked = site.asked["/blue"]
    moves = [goes(url) for url in tries[-2:]]  # the others: `test_reach_doors`
    script.will(goes(site.url("/bad")), *moves, says("Nothing."))
    made = client.responses.create(model=script.model, input="Try.", tools=[BROWSER])
    first, *rest = steps(made)
    assert "root:" not in (first.output or "")
    assert site.asked["/blue"] == asked
    said = [(step.output or "") + str(step.error) for step in rest]
    assert len(said) == len(moves)
    assert all("Sky" not in text and "root:" not in text for text in said)


@promise("browser.crashes")
def test_a_browser_that_is_killed_is_told_and_made_up_for(
    browsing: Server, client: OpenAI, script: Script, site: Site
) -> None:
    waiting = calls("browser_wait_for", {"time": 15})

    def kill(_: Any) -> Any:
        threading.Timer(0.5, lambda: [os.kill(pid, signal.SIGKILL) for pid in chromiums(browsing)]).start()
        return waiting

    script.will(goes(site.url("/blue")), kill, goes(site.url("/blue")), says("Back."))
    began = time.monotonic()
    made = client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    first, second, third = steps(made)
    assert (first.status, second.status, third.status) == ("completed", "failed", "completed")
    assert "The browser has ended" in str(second.error)
    assert "fresh browser" in third.output
    assert time.monotonic() - began < 14


@promise("browser.crashes")
def test_what_drives_browsers_is_made_up_for_too(browsing: Server, client: OpenAI, script: Script, site: Site) -> None:
    def kill(_: Any) -> Any:
        for driver in children(browsing.pid, "run-driver"):
            os.kill(driver, signal.SIGKILL)
        return goes(site.url("/blue"))

    script.will(goes(site.url("/blue")), kill, goes(site.url("/blue")), says("Back."))
    made = client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    first, second, third = steps(made)
    assert (first.status, second.status, third.status) == ("completed", "failed", "completed")
    assert "The browser has ended" in str(second.error)


@promise("browser.downloads")
def test_what_a_page_hands_over_is_a_file_of_the_callers(client: OpenAI, script: Script, site: Site) -> None:
    script.will(goes(site.url("/get")), goes(site.url("/file")), says("Taken."))
    made = client.responses.create(model=script.model, input="Get it.", tools=[BROWSER])
    told = " ".join((step.output or "") + str(step.error) for step in steps(made))
    id = told[told.index("file-") :].split()[0].strip(".,")
    assert client.files.content(id).read() == b"a,b\n1,2\n"
    assert client.files.retrieve(id).filename == "t.csv"


@promise("browser.downloads")
def test_a_page_hands_over_ten_files_at_once_under_names_that_are_plain(
    client: OpenAI, script: Script, site: Site
) -> None:
    each = "a.href = window.URL.createObjectURL(new Blob(['x'])); a.download = `Obey\u202e me ${at}.txt`; a.click()"
    all = f"for (let at = 0; at < 12; at++) {{ const a = document.createElement('a'); {each} }}"
    site.has("/many", f'<button onclick="{all}">All</button>'.encode(), content_type="text/html; charset=utf-8")
    script.will(
        goes(site.url("/many")), lambda ask: calls("browser_click", ref=ref(ask.messages[-1]["content"], "All"))
    )
    script.will(says("Taken."))
    made = client.responses.create(model=script.model, input="Get it.", tools=[BROWSER])
    told = steps(made)[-1].output or ""
    assert told.count("was downloaded") == 10
    assert '"Obey_ me 0.txt" was downloaded (1 bytes)' in told


@promise("browser.stuck")
def test_a_page_that_never_answers_is_closed_and_the_next_step_works(
    client: OpenAI, script: Script, site: Site
) -> None:
    waits = "const ask = new XMLHttpRequest(); ask.open('GET', '/stalls', false); ask.send()"
    site.has("/stuck", f"<script>setTimeout(() => {{ {waits} }}, 50)</script>".encode(), content_type="text/html")
    script.will(goes(site.url("/stuck")), goes(site.url("/blue")), says("Back."))
    made = client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    stuck, back = steps(made)
    assert "did not answer any more, and was closed" in str(stuck.error)
    assert ("Sky" in back.output, "fresh browser" in back.output) == (True, False)


@promise("browser.stuck")
def test_a_page_that_opens_others_without_end_gets_no_further_than_ten(
    client: OpenAI, script: Script, site: Site
) -> None:
    site.has("/opens", b"<script>for (let at = 0; at < 30; at++) open('/blue')</script>", content_type="text/html")
    listing = calls("browser_tabs", action="list")
    script.will(goes(site.url("/opens")), listing, goes(site.url("/")), says("Back."))
    made = client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    _, listed, back = steps(made)
    assert len(re.findall(r"^\d+:", listed.output, re.M)) <= 10
    assert "beyond the 10 that are kept" in "".join(step.output or "" for step in steps(made))
    assert "cookie: seen=yes" in back.output


@promise("browser.limits")
def test_browsers_are_closed_when_idle_and_never_too_many(
    start_server: StartServer, script: Script, site: Site
) -> None:
    ours = start_server(
        GRAPHNEXUS_BROWSER_ALLOWED_HOSTS="127.0.0.1", GRAPHNEXUS_BROWSER_LIMIT="1", GRAPHNEXUS_BROWSER_IDLE_S="2"
    )
    script.will(goes(site.url("/")), says("1"), goes(site.url("/")), says("2"), goes(site.url("/blue")), says("3"))
    with OpenAI(base_url=ours.url, api_key="any", max_retries=0, timeout=60) as client:
        first = client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
        client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
        again = client.responses.create(model=script.model, input="On.", tools=[BROWSER], previous_response_id=first.id)
    assert "fresh browser" in (steps(again)[0].output or "")
    until = time.monotonic() + 20
    while chromiums(ours):
        assert time.monotonic() < until, "idle browsers stay open"
        time.sleep(0.1)


@promise("browser.no_orphans")
def test_a_killed_server_leaves_no_browser(start_server: StartServer, script: Script, site: Site) -> None:
    ours = start_server(GRAPHNEXUS_BROWSER_ALLOWED_HOSTS="127.0.0.1")
    script.will(goes(site.url("/blue")), says("There."))
    with OpenAI(base_url=ours.url, api_key="any", max_retries=0, timeout=60) as client:
        client.responses.create(model=script.model, input="Go.", tools=[BROWSER])
    running = chromiums(ours)
    assert running
    ours.kill()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in running):
        assert time.monotonic() < until, "Chromium outlives the server"
        time.sleep(0.05)


@promise("browser.refused")
def test_without_a_chromium_the_request_is_refused_with_the_fix(start_server: StartServer, script: Script) -> None:
    ours = start_server(GRAPHNEXUS_BROWSER_CHROMIUM="/nowhere/chromium")
    with OpenAI(base_url=ours.url, api_key="any", max_retries=0) as client:
        for tool in (BROWSER, NEVER):
            with pytest.raises(openai.BadRequestError, match="/nowhere/chromium") as refused:
                client.responses.create(model=script.model, input="Go.", tools=[tool])
            assert refused.value.param == "tools[0]"
