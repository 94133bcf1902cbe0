"""`computer` with the server as its executor: a real Chromium by its screen, through the official client."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from tests.contract import promise
from tests.process import ROOT, Server
from tests.site import Site, serving
from tests.test_docs import blocks
from tests.upstream import Script, calls, says

Json = dict[str, Any]
PREVIEW: Any = {
    "type": "computer_use_preview",
    "environment": "browser",
    "executor": "server",
    "display_width": 640,
    "display_height": 480,
}
COMPUTER: Any = {"type": "computer", "executor": "server"}
_DESK = b"""<title>Desk</title><body style="margin:0;height:3000px"><style>* { position: absolute }</style>
<input id=field style="left:100px;top:50px;width:200px;height:40px">
<div id=pad style="left:0;top:200px;width:300px;height:200px;background:rgb(0,0,255)"></div>
<script>const tell = said => { document.title += ' ' + said }
let from = null; pad.onmousedown = e => { from = [e.x, e.y]; pad.style.background = 'rgb(255,0,0)' }
pad.onmouseup = e => tell(`drag${e.x - from[0]}x${e.y - from[1]}`)
pad.ondblclick = e => tell('double'); addEventListener('contextmenu', e => tell('menu'))
addEventListener('keydown', e => { if (e.key === 'Enter' || e.ctrlKey && e.key === 'k') tell(e.key + field.value) })
addEventListener('scroll', () => { if (scrollY > 400) tell('scrolled') }, {once: true})</script>"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        site.has("/desk", _DESK, content_type="text/html")
        yield site


@pytest.fixture
def client(browsing: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=browsing.url, api_key="any", max_retries=0, timeout=60) as client:
        yield client


def act(*actions: Json, url: str | None = None) -> Any:
    return calls("computer", {"actions": list(actions), **({"url": url} if url else {})})


def told(script: Script) -> str:
    """What the model was told of its latest call."""
    content = [message["content"] for message in script.last.body["messages"] if message["role"] == "tool"][-1]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def colour(content: bytes, at: tuple[int, int]) -> Any:
    return Image.open(io.BytesIO(content)).convert("RGB").getpixel(at)


@promise("computer.server")
def test_a_model_clicks_types_and_sees_what_came_of_it(client: OpenAI, script: Script, site: Site) -> None:
    script.will(
        act({"type": "screenshot"}, url=site.url("/desk")),
        act({"type": "click", "x": 150, "y": 70, "button": "left"}),
        act({"type": "type", "text": "Ada"}),
        act({"type": "keypress", "keys": ["ENTER"]}),
        says("Done."),
    )
    made = client.responses.create(model=script.model, input="Go.", tools=[PREVIEW])
    kinds = [item.type for item in made.output]
    assert kinds == ["computer_call", "computer_call_output"] * 4 + ["message"]
    calls_made: Any = made.output[0:8:2]
    outputs: Any = made.output[1:8:2]
    assert [call.action.type for call in calls_made] == ["screenshot", "click", "type", "keypress"]
    assert [output.call_id for output in outputs] == [call.call_id for call in calls_made]
    assert all(call.status == "completed" and call.pending_safety_checks == [] for call in calls_made)
    picture = client.files.content(outputs[-1].output.file_id).read()
    assert Image.open(io.BytesIO(picture)).size == (640, 480)
    red, green, blue = colour(picture, (50, 300))
    assert (red < 30, green < 30, blue > 220) == (True, True, True)
    assert "EnterAda" in told(script)
    image = [
        part for message in script.last.body["messages"] for part in message["content"] or () if "image_url" in part
    ]
    assert base64.b64decode(image[-1]["image_url"]["url"].partition(",")[2]) == picture


@promise("computer.actions")
def test_actions_of_one_call_are_done_in_their_order(client: OpenAI, script: Script, site: Site) -> None:
    path = [{"x": 50, "y": 250}, {"x": 80, "y": 260}, {"x": 120, "y": 300}]
    script.will(
        act({"type": "drag", "path": path}, {"type": "double_click", "x": 20, "y": 220}, url=site.url("/desk")),
        act({"type": "click", "x": 400, "y": 100, "button": "right"}, {"type": "keypress", "keys": ["CTRL", "K"]}),
        act({"type": "scroll", "x": 400, "y": 100, "scroll_x": 0, "scroll_y": 600}, {"type": "wait"}),
        says("Done."),
    )
    made = client.responses.create(model=script.model, input="Go.", tools=[COMPUTER])
    first: Any = made.output[0]
    assert [action.type for action in first.actions] == ["drag", "double_click"]
    assert first.model_extra["url"] == site.url("/desk")
    assert all(said in told(script) for said in ("drag70x50", "double", "menu", "k", "scrolled"))
    last: Any = made.output[5]
    assert Image.open(io.BytesIO(client.files.content(last.output.file_id).read())).size == (1280, 800)


@promise("computer.continued")
def test_a_conversation_goes_on_at_the_same_screen(client: OpenAI, script: Script, site: Site) -> None:
    script.will(act({"type": "click", "x": 150, "y": 70}, url=site.url("/desk")), says("There."))
    first = client.responses.create(model=script.model, input="Go.", tools=[PREVIEW])
    script.will(act({"type": "type", "text": "x"}, {"type": "keypress", "keys": ["Enter"]}), says("Still."))
    client.responses.create(model=script.model, input="On.", tools=[PREVIEW], previous_response_id=first.id)
    assert "Enterx" in told(script)
    history: Any = [{"role": "user", "content": "Go."}, *(item.to_dict() for item in first.output)]
    script.will(act({"type": "type", "text": "y"}, {"type": "keypress", "keys": ["Enter"]}), says("Here, too."))
    kept = client.responses.create(
        model=script.model, input=[*history, {"role": "user", "content": "On."}], tools=[PREVIEW], store=False
    )
    assert kept.output_text == "Here, too."
    assert "Enterxy" in told(script)


@promise("computer.failures")
def test_what_cannot_be_done_is_told_and_the_next_call_works(client: OpenAI, script: Script, site: Site) -> None:
    bad = [
        ({"type": "click", "x": 900, "y": 5}, "on the screen, which is 640x480"),
        ({"type": "click", "y": 5}, "on the screen"),
        ({"type": "fly"}, "no action 'fly'"),
        ({"type": "keypress", "keys": []}, "`keys` must not be empty"),
        ({"type": "keypress", "keys": ["NOKEY"]}, "no such key"),
        ({"type": "drag", "path": [{"x": 1, "y": 1}]}, "`path` must be"),
        ({"type": "click", "x": 5, "y": 5, "button": "fourth"}, "`button` must be"),
    ]
    for action, said in bad:
        script.will(act(action), says("No."))
        made: Any = client.responses.create(model=script.model, input="Go.", tools=[PREVIEW])
        assert [item.type for item in made.output] == ["computer_call", "message"]
        assert made.output[0].status == "incomplete"
        assert said in told(script)
    script.will(act({"type": "wait"}, url="file:///etc/passwd"), says("No."), calls("computer", {}), says("No."))
    client.responses.create(model=script.model, input="Go.", tools=[PREVIEW])
    assert "must begin with http" in told(script)
    client.responses.create(model=script.model, input="Go.", tools=[PREVIEW])
    assert "at least one action" in told(script)
    script.will(act({"type": "screenshot"}, url=site.url("/desk")), says("Yes."))
    assert client.responses.create(model=script.model, input="Go.", tools=[PREVIEW]).output_text == "Yes."


@promise("computer.server")
def test_the_example_of_the_docs_does_what_it_says(client: OpenAI, script: Script, site: Site) -> None:
    script.will(act({"type": "screenshot"}, url=site.url("/desk")), says("Seen."))
    (code,) = blocks(ROOT / "docs/computer.md", "python")
    exec(code.replace('"demo"', repr(script.model)), {"client": client})


@promise("computer.streamed")
def test_items_are_added_and_done_and_nothing_is_said_between(client: OpenAI, script: Script, site: Site) -> None:
    script.will(act({"type": "move", "x": 1, "y": 1}, url=site.url("/desk")), says("Done."))
    stream = client.responses.create(model=script.model, input="Go.", tools=[COMPUTER], stream=True)
    told = [(event.type, event.item.type) for event in stream if event.type.startswith("response.output_item")]  # type: ignore[union-attr]
    assert told[:4] == [
        ("response.output_item.added", "computer_call"),
        ("response.output_item.done", "computer_call"),
        ("response.output_item.added", "computer_call_output"),
        ("response.output_item.done", "computer_call_output"),
    ]


@promise("computer.declared")
@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"executor": "me"}, "tools[0].executor"),
        ({"environment": "linux"}, "tools[0].environment"),
        ({"display_width": 20}, "tools[0].display_width"),
        ({"display_height": None}, "tools[0].display_height"),
        ({"display_height": "tall"}, "tools[0].display_height"),
    ],
)
def test_a_computer_that_cannot_be_names_its_place(client: OpenAI, script: Script, change: Json, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=script.model, input="Go.", tools=[{**PREVIEW, **change}])
    assert refused.value.param == param
