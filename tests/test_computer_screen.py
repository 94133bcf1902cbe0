"""The screen of a computer in its corners: keys, wheels and pages that move on, through the official client."""

import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from tests.conftest import StartServer
from tests.contract import promise
from tests.process import Server
from tests.site import Site, serving
from tests.upstream import Script, calls, says

Json = dict[str, Any]
PLAIN: Any = {"type": "computer", "executor": "server"}
SCREEN: Any = {**PLAIN, "display_width": 640, "display_height": 480}
#: What happens is in the title, in its order: that is what the model is told.
_LAB = """<title>Lab</title><body style="margin:0"><style>body > * { position: absolute }</style>
<input id=field style="left:10px;top:10px;width:200px;height:30px">
<input id=range type=range min=0 max=100 value=0 style="left:10px;top:60px;width:200px;height:20px">
<select id=list style="left:10px;top:100px;width:200px;height:30px"><option>Small<option>Large</select>
<div id=box style="left:10px;top:150px;width:200px;height:100px;overflow:scroll"><p style="width:2000px;height:2000px">
</div><div id=thing draggable=true style="left:10px;top:300px;width:50px;height:50px;background:red"></div>
<div id=place style="left:200px;top:300px;width:80px;height:80px;background:blue"></div>
<a href=/next style="left:10px;top:420px;width:100px;height:30px">Next</a>
<a href=/next target=_blank style="left:200px;top:420px;width:100px;height:30px">Beside</a>
<script>const tell = said => { document.title += ' ' + said }
addEventListener('keydown', e => { if (e.target !== field) tell(
['ctrl', 'alt', 'shift', 'meta'].filter(name => e[name + 'Key']).join('') + '_' + (e.key === ' ' ? 'blank' : e.key)) })
field.onchange = () => tell('field=' + field.value)
range.onchange = () => tell('range=' + (range.value > 70)); list.onchange = () => tell('list=' + list.value)
box.onscroll = () => { if (!box.told) { box.told = true; tell('box') } }
addEventListener('mousedown', e => { if (e.button || e.shiftKey) tell(`button${e.button}${e.shiftKey}`) })
addEventListener('mousemove', e => { if (e.x === 639 && e.y === 479) tell('corner') })
place.ondragover = e => e.preventDefault(); place.ondrop = () => tell('dropped')</script>"""
_NEXT = """<title>Next</title><body style="margin:0;background:rgb(0,128,0)"><input id=field autofocus>
<script>field.oninput = () => { document.title = 'Next ' + field.value }</script>"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        site.has("/lab", _LAB.encode(), content_type="text/html")
        site.has("/next", _NEXT.encode(), content_type="text/html")
        yield site


@pytest.fixture
def client(browsing: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=browsing.url, api_key="any", max_retries=0, timeout=60) as client:
        yield client


class Hand:
    """A model that acts call by call, in one conversation."""

    def __init__(self, client: OpenAI, script: Script) -> None:
        self.client = client
        self.script = script
        self.previous: str | None = None

    def does(self, *actions: Json, **more: Any) -> str:
        """What the model is told of a call."""
        self.script.will(calls("computer", {"actions": list(actions), **more}), says("Done."))
        self.made = self.client.responses.create(
            model=self.script.model, input="On.", tools=[SCREEN], previous_response_id=self.previous
        )
        self.previous = self.made.id
        return told(self.script)

    def picture(self) -> Image.Image:
        shown: Any = self.made.output[1]
        return Image.open(io.BytesIO(self.client.files.content(shown.output.file_id).read())).convert("RGB")


def told(script: Script) -> str:
    content = [message["content"] for message in script.last.body["messages"] if message["role"] == "tool"][-1]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@pytest.fixture
def hand(client: OpenAI, script: Script, site: Site) -> Hand:
    hand = Hand(client, script)
    assert '"Lab"' in hand.does({"type": "screenshot"}, url=site.url("/lab"))
    return hand


def click(x: Any, y: Any, **more: Any) -> Json:
    return {"type": "click", "button": "left", "x": x, "y": y, **more}


def keys(*names: str) -> Json:
    return {"type": "keypress", "keys": list(names)}


@promise("computer.actions")
def test_keys_are_known_by_the_names_models_give_them(hand: Hand) -> None:
    said = hand.does(
        keys("ENTER"), keys("ESC"), keys("PAGEDOWN"), keys("ARROWUP"), keys("SPACE"), keys("Return"), keys("page_up"),
        keys("CTRL", "SHIFT", "a"), keys("ctrl+j"), keys("CMD", "K"), keys("ALT", "x"), keys("+"), keys("F8"),
    )  # fmt: skip
    wanted = "_Enter _Escape _PageDown _ArrowUp _blank _Enter _PageUp ctrl_Control ctrlshift_Shift"
    assert wanted in said
    assert all(f" {one}" in said for one in ("ctrlshift_a", "ctrl_j", "meta_K", "alt_x", "_+", "_F8"))


@promise("computer.failures")
@pytest.mark.parametrize("bad", [keys("CTRL", "NOKEY"), click(300, 20, keys=["SHIFT", "NOKEY"])])
def test_no_key_stays_down_after_one_there_is_not(hand: Hand, bad: Json) -> None:
    assert "no such key" in hand.does(bad)
    assert "field=B" in hand.does(click(50, 20), {"type": "type", "text": "B\n"})


@promise("computer.actions")
def test_texts_are_typed_as_they_are(hand: Hand) -> None:
    text = "Grüße, 世界 🙂 'x' " + "long " * 400
    assert f"field={text[:20]}" in hand.does(click(50, 20), {"type": "type", "text": text + "\n"})


@promise("computer.actions")
def test_pointers_drag_scroll_and_hold_keys(hand: Hand) -> None:
    rail = [{"x": 18, "y": 70}, {"x": 100, "y": 70}, {"x": 205, "y": 70}]
    assert "range=true" in hand.does({"type": "drag", "path": rail})
    assert "dropped" in hand.does({"type": "drag", "path": [{"x": 30, "y": 320}, {"x": 240, "y": 340}]})
    assert "box" in hand.does({"type": "scroll", "x": 50, "y": 200, "scroll_x": None, "scroll_y": 300})
    said = hand.does(click(400, 300, keys=["SHIFT"]), click(400, 300, button="wheel"), click(400, 300, button="right"))
    assert "button0true button1false button2false" in said
    assert "list=Large" in hand.does(click(50, 115), keys("DOWN"), keys("ENTER"))


@promise("computer.failures")
def test_numbers_are_taken_where_they_are_on_the_screen(hand: Hand) -> None:
    assert "corner" in hand.does({"type": "move", "x": 639, "y": 479})
    assert "field=A" in hand.does(click("50", 20.4), {"type": "type", "text": "A\n"})
    wrong: Any = ({"x": 640, "y": 0}, {"x": -1, "y": 0}, {"x": 1e300, "y": 0}, {"x": {}, "y": []}, {})
    for bad in wrong:
        assert "`x`" in hand.does({"type": "move", **bad})
        assert hand.made.status == "completed"


@promise("computer.failures")
def test_what_was_done_before_a_failure_is_told(hand: Hand) -> None:
    said = hand.does(click(50, 20), {"type": "type", "text": "half"}, {"type": "fly"}, keys("ENTER"))
    assert "Action 3 of 4 was not done, nor any after it: There is no action 'fly'" in said
    assert hand.made.output[1].type == "computer_call_output"
    assert "field=half" in hand.does(keys("ENTER"))


@promise("computer.actions")
def test_buttons_go_back_and_forth(hand: Hand, site: Site) -> None:
    assert '"Next"' in hand.does(url=site.url("/next"))
    assert '"Lab' in hand.does(click(0, 0, button="back"))
    assert '"Next"' in hand.does(click(0, 0, button="forward"))


@promise("computer.actions")
def test_actions_after_a_link_are_done_on_the_page_it_leads_to(hand: Hand) -> None:
    assert '"Next hello' in hand.does(click(20, 430), {"type": "type", "text": "hello"})


@promise("computer.server")
def test_a_page_that_opens_beside_has_the_same_screen(hand: Hand) -> None:
    assert "Another page was opened" in hand.does(click(210, 430), {"type": "wait"})
    picture = hand.picture()
    assert picture.size == (640, 480)
    red, green, blue = picture.getpixel((320, 400))  # type: ignore[misc]
    assert (red < 40, 90 < green < 160, blue < 40) == (True, True, True)


@promise("computer.server")
def test_a_computer_and_a_browser_are_one(client: OpenAI, script: Script, site: Site) -> None:
    tools: Any = [{"type": "browser"}, SCREEN]
    script.will(calls("browser_navigate", {"url": site.url("/lab")}), calls("computer", {"actions": [keys("F8")]}),
                says("Done."))  # fmt: skip
    made: Any = client.responses.create(model=script.model, input="Go.", tools=tools)
    assert "_F8" in told(script)
    assert made.output[0].browser_id == made.output[1].browser_id


@promise("computer.server")
def test_a_computer_that_must_be_used_is_used_once(client: OpenAI, script: Script) -> None:
    script.will(calls("computer", {"actions": [{"type": "screenshot"}]}), says("Blank."))
    made = client.responses.create(
        model=script.model, input="Go.", tools=[SCREEN], tool_choice={"type": "computer_use_preview"}
    )
    assert "about:blank" in told(script)
    assert made.output_text == "Blank."
    assert "tool_choice" not in script.last.body or script.last.body["tool_choice"] == "auto"


@promise("computer.continued")
def test_a_screenshot_that_is_gone_ends_no_conversation(client: OpenAI, script: Script, hand: Hand) -> None:
    shown: Any = hand.made.output[1]
    client.files.delete(shown.output.file_id)
    history: Any = [item.to_dict() for item in hand.made.output]
    script.will(calls("computer", {"actions": [keys("F8")]}), says("On."))
    made = client.responses.create(
        model=script.model, input=[*history, {"role": "user", "content": "On."}], tools=[SCREEN], store=False
    )
    assert made.output_text == "On."
    assert "_F8" in told(script)


@promise("computer.continued")
def test_the_page_that_was_opened_is_in_the_clients_history(
    client: OpenAI, script: Script, hand: Hand, site: Site
) -> None:
    history: Any = [item.to_dict() for item in hand.made.output]
    script.will(says("On."))
    client.responses.create(
        model=script.model, input=[*history, {"role": "user", "content": "On."}], tools=[SCREEN], store=False
    )
    (call,) = (call for message in script.last.body["messages"] for call in message.get("tool_calls") or ())
    arguments = json.loads(call["function"]["arguments"])
    assert arguments == {"url": site.url("/lab"), "actions": [{"type": "screenshot"}]}


@promise("computer.continued")
def test_calls_that_were_approved_go_on_from_a_clients_history(
    client: OpenAI, start_server: StartServer, script: Script, site: Site
) -> None:
    ours = start_server(
        GRAPHNEXUS_BROWSER_ALLOWED_HOSTS="127.0.0.1", GRAPHNEXUS_BROWSER_SCREENSHOTS="false",
        GRAPHNEXUS_UNTRUSTED_TEXT="ask",
    )  # fmt: skip
    lab, press = {"actions": [keys("F8")], "url": site.url("/lab")}, {"actions": [keys("F9")]}
    client = client.with_options(base_url=ours.url)
    script.will(calls("computer", lab), calls("computer", press))
    waits: Any = client.responses.create(model=script.model, input="Go.", tools=[SCREEN])
    assert [item.type for item in waits.output] == ["computer_call", "computer_call_output", "mcp_approval_request"]
    assert waits.output[1].output.image_url.startswith("data:image/jpeg;base64,")
    yes: Any = {"type": "mcp_approval_response", "approval_request_id": waits.output[2].id, "approve": True}
    script.will(says("Done."))
    made = client.responses.create(model=script.model, input=[yes], tools=[SCREEN], previous_response_id=waits.id)
    assert "_F8 _F9" in told(script)
    kept = [item.to_dict() for item in (*waits.output, *made.output)]
    history: Any = [*kept[:3], yes, *kept[3:], {"role": "user", "content": "On."}]
    script.will(says("On."))
    client.responses.create(model=script.model, input=history, tools=[SCREEN], store=False)
    asked = [call for message in script.last.body["messages"] for call in message.get("tool_calls") or ()]
    assert [json.loads(call["function"]["arguments"]) for call in asked] == [lab, press]
    told_of = [message["tool_call_id"] for message in script.last.body["messages"] if message["role"] == "tool"]
    assert told_of == [call["id"] for call in asked]


@promise("computer.declared")
@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{**SCREEN, "environment": "linux"}], "tools[0].environment"),
        ([{**SCREEN, "display_width": 99}], "tools[0].display_width"),
        ([SCREEN, SCREEN], "tools[1]"),
    ],
)
def test_computers_that_cannot_be_name_their_place(client: OpenAI, script: Script, tools: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=script.model, input="Go.", tools=tools)
    assert refused.value.param == param


@promise("computer.server")
def test_declarations_are_echoed_with_their_size(client: OpenAI, script: Script) -> None:
    script.will(says("Hi."))
    made = client.responses.create(model=script.model, input="Hi.", tools=[PLAIN])
    assert made.tools[0].to_dict() == {
        "type": "computer",
        "executor": "server",
        "environment": "browser",
        "display_width": 1280,
        "display_height": 800,
    }
