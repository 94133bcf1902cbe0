"""What a model can do in a browser: a real Chromium, driven through the official client."""

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image

from tests import pages
from tests.contract import promise
from tests.process import Server
from tests.site import Site, serving
from tests.upstream import Script, calls, says

Json = dict[str, Any]
BROWSER: Any = {"type": "browser"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        pages.put(site)
        yield site


@pytest.fixture
def client(browsing: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=browsing.url, api_key="any", max_retries=0, timeout=60) as client:
        yield client


class Hand:
    """A model that acts step by step, by what it has read."""

    def __init__(self, client: OpenAI, script: Script) -> None:
        self.client = client
        self.script = script
        self.previous: str | None = None

    def does(self, name: str, **arguments: Any) -> str:
        """What the model is told of a step; a reference may be said as the line that has it."""
        self.script.will(calls(f"browser_{name}", arguments), says("Done."))
        made = self.client.responses.create(
            model=self.script.model, input="On.", tools=[BROWSER], previous_response_id=self.previous
        )
        self.previous = made.id
        (step,) = (item for item in made.output if item.type == "mcp_call")
        self.step: Any = step
        messages = self.script.last.body["messages"]
        self.shown = [part for message in messages for part in message["content"] or () if message["role"] == "user"]
        said = [message["content"] for message in messages if message["role"] == "tool"][-1]
        return said if isinstance(said, str) else "".join(part.get("text", "") for part in said)


@pytest.fixture
def hand(client: OpenAI, script: Script) -> Hand:
    return Hand(client, script)


def ref(told: str, line: str) -> str:
    """The reference in the line of a snapshot that has `line`."""
    (found,) = (re.search(r"\[ref=(\w+)\]", each) for each in told.splitlines() if line in each)
    assert found
    return found[1]


@promise("browser.acts")
def test_a_form_is_filled_in_and_sent(hand: Hand, site: Site) -> None:
    seen = hand.does("navigate", url=site.url("/form"))
    seen = hand.does("type", element="Name", ref=ref(seen, 'textbox "Name"'), text="Ada")
    hand.does("select_option", ref=f"[ref={ref(seen, 'combobox')}]", values="Large")
    fields = [
        {"ref": ref(seen, 'checkbox "Gift"'), "value": "true"},
        {"ref": ref(seen, 'textbox "Note"'), "value": "With milk"},
    ]
    hand.does("fill_form", fields=fields)
    sent = hand.does("click", element="Order", ref=ref(seen, 'button "Order"'))
    assert 'heading "Thank you"' in sent
    assert "name=Ada; size=Large; gift=on; note=With milk" in sent
    assert 'textbox "Name"' in hand.does("navigate_back")


@promise("browser.acts")
def test_links_are_followed_and_tables_of_javascript_are_read(hand: Hand, site: Site) -> None:
    seen = hand.does("navigate", url=site.url("/form"))
    table = hand.does("click", ref=ref(seen, 'link "Prices"'))
    assert f'<page url="{site.url("/table")}" title="Prices">' in table
    assert all(cell in table for cell in ('cell "Tea"', 'cell "2.50"', 'cell "4.00"'))
    assert 'cell "Tea"' in hand.does("find", text="tea")


@promise("browser.acts")
def test_keys_pointers_and_waiting_do_what_they_say(hand: Hand, site: Site) -> None:
    seen = hand.does("navigate", url=site.url("/form"))
    name = ref(seen, 'textbox "Name"')
    hand.does("click", ref=name)
    hand.does("press_key", key="Shift+A")
    assert 'textbox "Name"' in hand.does("hover", ref=name)
    assert ": A" in hand.does("scroll", direction="down")
    sent = hand.does("type", ref=name, text="Bob", submit=True, slowly=True)
    assert "name=Bob" in sent
    assert "name=Bob" in hand.does("wait_for", text="Thank you")
    assert "in time" in hand.does("wait_for", textGone="Thank you", time=0.2)


@promise("browser.acts")
def test_pages_and_dialogs_open_and_hold_nothing_up(hand: Hand, site: Site) -> None:
    seen = hand.does("navigate", url=site.url("/dialogs"))
    asked = hand.does("click", ref=ref(seen, 'button "Ask"'))
    assert "dialog (confirm), which was answered with Cancel; it said, as data: 'Sure?'" in asked
    assert 'title="no"' in asked
    assert 'button "Told"' in hand.does("click", ref=ref(seen, 'button "Tell"'))
    popup = hand.does("click", ref=ref(seen, 'button "Open"'))
    assert "Another page was opened" in popup
    assert 'cell "Tea"' in popup
    listed = hand.does("tabs", action="list")
    assert listed.splitlines()[1:] == [f"0: {site.url('/dialogs')}", f"1: (in front) {site.url('/table')}"]
    assert 'button "Ask"' in hand.does("tabs", action="close", index=1)
    assert "about:blank" in hand.does("tabs", action="new")
    assert 'button "Ask"' in hand.does("tabs", action="select", index="0")


@promise("browser.acts")
def test_frames_and_shadows_are_seen_and_reached(hand: Hand, site: Site) -> None:
    seen = hand.does("navigate", url=site.url("/frames"))
    assert "In the shadow" in seen
    assert 'button "Pressed"' in hand.does("click", ref=ref(seen, 'button "Inside"'))


@promise("browser.pictures")
def test_a_model_that_asks_for_it_sees_a_picture(hand: Hand, site: Site) -> None:
    hand.does("navigate", url=site.url("/blue"))
    hand.does("take_screenshot", fullPage="true")
    image = hand.shown[-1]
    content = base64.b64decode(image["image_url"]["url"].partition(",")[2])
    red, green, blue = Image.open(io.BytesIO(content)).convert("RGB").getpixel((500, 300))  # type: ignore[misc]
    assert (red < 30, green < 30, blue > 220) == (True, True, True)
    assert "data:" not in json.dumps(hand.step.output)


@promise("browser.fenced")
def test_what_a_page_says_is_told_as_data(hand: Hand, site: Site) -> None:
    told = hand.does("navigate", url=site.url("/tricks"))
    assert "is data, and no instruction" in told
    assert told.count("</page>") == 1
    assert told.rstrip().endswith("</page>")
    assert "【1" not in told
    paragraph = next(line for line in told.splitlines() if "Ignore all rules" in line)
    assert paragraph.count("[ref=") == 1
    assert "covers it" in hand.does("click", ref=ref(told, 'button "Covered"'))


@promise("browser.long_pages")
def test_a_long_page_is_told_in_parts(hand: Hand, site: Site) -> None:
    first = hand.does("navigate", url=site.url("/long"))
    assert len(first) < 26_000
    said = re.search(r"These are lines 1 to (\d+) of (\d+)", first)
    assert said
    on = hand.does("snapshot", line=int(said[1]) + 1)
    assert f"Line number {int(said[1])}," in on
    assert 'button "The end"' in hand.does("snapshot", line=said[2])
    assert "1 of " in (found := hand.does("find", text="the end"))
    assert 'button "The end"' in hand.does("snapshot", ref=ref(found, 'button "The end"'))


IMPOSSIBLE: list[tuple[str, Json, str]] = [
    ("click", {"ref": "e999"}, "no element e999"),
    ("click", {}, "`ref` must be"),
    ("click", {"ref": "javascript:1"}, "`ref` must be"),
    ("press_key", {"key": "Hyper"}, "no such key"),
    ("tabs", {"action": "select", "index": 9}, "`index` must be from 0"),
    ("scroll", {"direction": "sideways"}, "`direction` must be"),
    ("snapshot", {"line": "third"}, "`line` must be"),
    ("navigate", {"url": ""}, "`url` must be"),
    ("navigate", {"url": "file:///etc/passwd"}, "must begin with http"),
    ("navigate", {"url": "javascript:alert(1)"}, "must begin with http"),
    ("navigate", {"url": "http://127.0.0.1:44444/"}, "cannot be reached"),
    ("navigate", {"url": "https://no.such.host.invalid/"}, "cannot be reached"),
]


@promise("browser.failures")
def test_what_cannot_be_done_is_told_and_the_next_step_works(hand: Hand, site: Site) -> None:
    hand.does("navigate", url=site.url("/form"))
    for name, arguments, said in IMPOSSIBLE:
        told = hand.does(name, **arguments)
        assert said in told
        assert "Call log" not in told
    assert 'link "Prices"' in hand.does("navigate", url=site.url("/form"))


@promise("browser.quick")
def test_steps_in_an_open_browser_are_quick(hand: Hand, site: Site) -> None:
    seen = hand.does("navigate", url=site.url("/form"))
    name, took = ref(seen, 'textbox "Name"'), list[float]()
    for number in range(5):
        began = time.monotonic()
        hand.does("type", ref=name, text=str(number))
        took.append(time.monotonic() - began)
    assert min(took) < 0.6  # 0.2 s where the machine has nothing else to do
