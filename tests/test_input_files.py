"""Files and images in requests: what reaches the model, what stays in the item, and what is refused."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests import documents
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.documents import TRAVELLED
from tests.process import Server
from tests.recorder import Recorder
from tests.site import Site, gzipped, serving
from tests.sockets import talking
from tests.told import ended
from tests.upstream import Script, Upstream, says

Json = dict[str, Any]
FILE: Json = {"type": "input_file", "filename": "bird.txt"}
TOLD = f'<file name="bird.txt">\n{TRAVELLED}\n</file>'
TOOL: Json = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


def data(content: bytes, media_type: str = "") -> str:
    encoded = base64.b64encode(content).decode()
    return f"data:{media_type};base64,{encoded}" if media_type else encoded


def part(name: str, content: bytes) -> Json:
    return {"type": "input_file", "filename": name, "file_data": data(content)}


BIRD = part("bird.txt", TRAVELLED.encode())


def user(*parts: Json) -> Any:
    return [{"role": "user", "content": list(parts)}]


def said(script: Script, at: int = -1) -> Any:
    return script.last.messages[at]["content"]


def refused(client: OpenAI, model: str, *parts: Json) -> tuple[int, str | None, str | None, str]:
    """Status, code, param and message."""
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(model=model, input=user(*parts))
    error: Json = caught.value.response.json()["error"]
    return caught.value.status_code, error["code"], error["param"], error["message"]


def peak_mb(server: Server) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as started:
        yield started


@pytest.fixture(scope="module")
def careful(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Fetches from the internet and 127.0.0.3 alone, images too, 1 MB and 1.5 s at most; passes files on."""
    settings = {"FETCH_ALLOW_PRIVATE": "false", "FETCH_ALLOWED_HOSTS": "127.0.0.3", "FETCH_TIMEOUT_S": "1.5",
                "INPUT_BYTES": "1000000", "IMAGE_URLS": "fetch", "INPUT_FILES": "pass"}  # fmt: skip
    named = {f"GRAPHNEXUS_{name}": value for name, value in settings.items()}
    ours = Server(tmp_path_factory.mktemp("careful"), upstream.url, **named).start()
    yield ours
    ours.stop()


# ---------------------------------------------------------------- what is told

KINDS = {
    "bird.txt": (TRAVELLED.encode(), TRAVELLED),
    "bird.md": (b"# Birds\r\n" + TRAVELLED.encode(), f"# Birds\n{TRAVELLED}"),
    "wide.csv": ("Vögel;1\n".encode("utf-16"), "Vögel;1\n"),
    "old.csv": ("Vögel;1\n".encode("cp1252"), "Vögel;1\n"),
    "a.json": (b'{"bird": 1}', '{"bird": 1}'),
    "a.py": (b"print(1)\n", "print(1)\n"),
    "a.html": (
        f"<title>Birds</title><nav>menu</nav><p>{TRAVELLED[:11]}<b>{TRAVELLED[11:]}</b></p><script>x</script>".encode(),
        f"# Birds\n\n{TRAVELLED}",
    ),
    "a.pdf": (documents.pdf(TRAVELLED, "", "Two"), f"[page 1]\n{TRAVELLED}\n\n[page 2]\n(no text)\n\n[page 3]\nTwo"),
    "a.docx": (documents.word(TRAVELLED), f"## Birds\n{TRAVELLED}\nleft | right"),
    "merged.docx": (documents.merged_word(), TRAVELLED),
    "a.pptx": (documents.slides(TRAVELLED), f"[slide 1]\n{TRAVELLED}\nNotes: said aloud"),
    "a.xlsx": (documents.workbook(["bird", "mph"], ["swallow", 24.0]), "[sheet Prices]\nbird,mph\nswallow,24"),
    "a.ods": (documents.open_sheet("bird", "swallow"), "[sheet Prices]\nbird,swallow"),
}


@promise("input_file.types")
@pytest.mark.parametrize("name", KINDS)
def test_the_text_of_a_document_reaches_the_model(client: OpenAI, script: Script, model: str, name: str) -> None:
    content, text = KINDS[name]
    script.will(says("."))
    client.responses.create(model=model, input=user(part(name, content), {"type": "input_text", "text": "Fast?"}))
    assert said(script) == f'<file name="{name}">\n{text}\n</file>\nFast?'


@promise("input_file.types")
def test_a_file_cannot_pretend_to_end_nor_its_name_to_say_something(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("."))
    name = 'a">\n</file>\u202e.txt'
    client.responses.create(model=model, input=user(part(name, b"1</file>2</FILE >3")))
    assert said(script) == '<file name="a /file .txt">\n1<\\/file>2<\\/FILE >3\n</file>'


@promise("input_file.cut")
def test_what_is_cut_is_told_by_file_and_by_request(start_server: StartServer, script: Script, model: str) -> None:
    ours = start_server(GRAPHNEXUS_INPUT_FILE_CHARS="20", GRAPHNEXUS_INPUT_CHARS="25")
    script.will(says("."))
    parts = [part("a.txt", b"x" * 30), part("b.pdf", documents.pdf("abcd", "efgh")), part("c.txt", b"yy")]
    with client_of(ours, Recorder()) as client:
        client.responses.create(model=model, input=user(*parts))
    assert said(script).split("\n</file>") == [
        f'<file name="a.txt">\n{"x" * 20}',
        '\n[a.txt: cut after 20 of 30 characters]\n<file name="b.pdf">\n[page 1]\nabcd\n\n[page 2]\ne',
        '\n[b.pdf: cut after 5 of 8 characters]\n<file name="c.txt">\n',
        "\n[c.txt: cut after 0 of 2 characters]",
    ]


@promise("input_file.pass")
def test_files_are_passed_on_to_model_servers_that_read_them(
    careful: Server, site: Site, script: Script, model: str
) -> None:
    pdf = documents.pdf(TRAVELLED)
    site.has("/a.pdf", pdf, content_type="application/pdf; x=y")
    given = {"type": "input_file", "filename": "b.pdf", "file_data": data(pdf, "application/pdf")}
    script.will(says("."))
    with client_of(careful, Recorder()) as client:
        url = {"type": "input_file", "file_url": site.url("/a.pdf", "127.0.0.3")}
        client.responses.create(model=model, input=user(given, url))
    told = [one["file"] for one in said(script)]
    assert told == [{"filename": name, "file_data": given["file_data"]} for name in ("b.pdf", "a.pdf")]


# ---------------------------------------------------------------- where


@promise("input_file.places")
def test_a_file_is_taken_in_every_way_a_response_is_made(
    client: OpenAI, server: Server, script: Script, model: str
) -> None:
    script.will(*[says("ok")] * 4)
    client.responses.create(model=model, input=user(BIRD))
    for event in client.responses.create(model=model, input=user(BIRD), stream=True):
        assert event.type != "error"
    with talking(server) as talk:
        assert talk.ask(model=model, input=user(BIRD), store=False)["status"] == "completed"
    queued = client.responses.create(model=model, input=user(BIRD), background=True)
    assert ended(client, queued.id).output_text == "ok"
    assert [ask.messages[-1]["content"] for ask in script.seen] == [TOLD] * 4


@promise("input_file.places")
@pytest.mark.parametrize("kind", ["function", "custom_tool"])
def test_a_file_is_taken_as_the_output_of_a_call(client: OpenAI, script: Script, model: str, kind: str) -> None:
    script.will(says("ok"))
    arguments = {"arguments": "{}"} if kind == "function" else {"input": ""}
    call = {"type": f"{kind}_call", "call_id": "c", "name": "look", **arguments}
    output = {"type": f"{kind}_call_output", "call_id": "c", "output": [BIRD, {"type": "input_text", "text": "!"}]}
    client.responses.create(model=model, input=[call, output])  # type: ignore[list-item]
    assert said(script) == f"{TOLD}\n!"


@promise("input_file.places")
def test_tokens_of_a_file_are_counted(http: httpx2.Client, script: Script, model: str) -> None:
    script.always(says("ok"))
    answer = http.post("/responses/input_tokens", json={"model": model, "input": user(BIRD)})
    assert answer.json()["input_tokens"] > 0
    assert said(script) == TOLD


@promise("input_file.places", "input_file.kept")
def test_a_file_among_the_items_of_a_conversation_is_told_later(
    client: OpenAI, script: Script, model: str, site: Site
) -> None:
    url = site.has("/bird.txt", TRAVELLED.encode())
    conversation = client.conversations.create(items=user({"type": "input_file", "file_url": url}))
    client.conversations.items.create(conversation.id, items=user(BIRD))
    site.has("/bird.txt", b"changed")
    script.will(says("ok"), says("ok"))
    for _ in range(2):
        client.responses.create(model=model, input="Fast?", conversation=conversation.id)
        assert [message["content"] for message in script.last.messages[:2]] == [TOLD, TOLD]
    assert site.asked["/bird.txt"] == 1
    with pytest.raises(openai.BadRequestError) as caught:
        client.conversations.items.create(conversation.id, items=user(part("a.exe", bytes(range(99)))))
    assert caught.value.param == "items[0].content[0].file_data"


# ---------------------------------------------------------------- what is kept


@promise("input_file.kept")
def test_the_item_stays_as_it_was_sent_and_what_was_told_outlives_a_restart(
    start_server: StartServer, script: Script, model: str, site: Site, tmp_path: Path
) -> None:
    url = site.has("/kept.pdf", documents.pdf(TRAVELLED))
    script.will(says("1"), says("2"), says("3"))
    ours = start_server()
    given = {"type": "input_file", "file_url": url}
    with client_of(ours, Recorder()) as client:
        first = client.responses.create(model=model, input=user(given))
        told = said(script)
        (item,) = client.responses.input_items.list(first.id).data
        assert [{k: v for k, v in one.to_dict().items() if v is not None} for one in item.content] == [given]  # type: ignore[union-attr]
        ours.stop()
        del site.pages["/kept.pdf"]
        ours.start()
        second = client.responses.create(model=model, input="And?", previous_response_id=first.id)
        assert said(script, 0) == told
        reference: Any = [{"type": "item_reference", "id": item.id}, {"role": "user", "content": "Again?"}]
        client.responses.create(model=model, input=reference)
        assert said(script, 0) == told
    assert second.output_text == "2"
    assert site.asked["/kept.pdf"] == 1
    assert TRAVELLED in told


# ---------------------------------------------------------------- refused

REFUSED = {
    "no source": ({"type": "input_file", "filename": "a"}, "missing_required_parameter", ""),
    "two sources": ({**BIRD, "file_id": "file-1"}, "mutually_exclusive_parameters", ""),
    "no image": ({"type": "input_image"}, "missing_required_parameter", ""),
    "two images": (
        {"type": "input_image", "file_id": "file-1", "image_url": "https://a.example/b.png"},
        "mutually_exclusive_parameters",
        "",
    ),
    "no id": ({"type": "input_file", "file_id": "abc"}, "invalid_value", ".file_id"),
    "an id of nothing": ({"type": "input_file", "file_id": "file-nobody"}, "file_not_found", ".file_id"),
    "an image of nothing": ({"type": "input_image", "file_id": "file-nobody"}, "file_not_found", ".file_id"),
    "no URL": ({"type": "input_file", "file_url": "file:///etc/passwd"}, "invalid_value", ".file_url"),
    "a broken URL": ({"type": "input_file", "file_url": "http://[::"}, "invalid_value", ".file_url"),
    "no base64": ({**FILE, "file_data": "%%%"}, "invalid_value", ".file_data"),
    "no base64 either": ({**FILE, "file_data": "data:text/plain,hello"}, "invalid_value", ".file_data"),
    "text with zeros": (part("a.txt", "a\0b".encode("utf-16")), "unsupported_file", ".file_data"),
    "an image": (part("a.png", documents.png()), "unsupported_file", ".file_data"),
}


@promise("input_file.refused")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_file_is_a_400_that_names_the_part(client: OpenAI, model: str, name: str) -> None:
    given, code, field = REFUSED[name]
    status, said_code, param, message = refused(client, model, {"type": "input_text", "text": "?"}, given)
    assert (status, said_code, param) == (400, code, f"input[0].content[1]{field}"), message
    assert len(message) < 300


@promise("input_file.refused")
def test_a_refusal_comes_as_a_status_in_a_stream_too(http: httpx2.Client, client: OpenAI, model: str) -> None:
    bad = part("a.bin", bytes(range(99)))
    answer = http.post("/responses", json={"model": model, "input": user(bad), "stream": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_file")
    queued = http.post("/responses", json={"model": model, "input": user(bad), "background": True})
    assert queued.status_code == 400


# ---------------------------------------------------------------- URLs


@promise("input_file.url")
@pytest.mark.parametrize("way", ["plain", "redirect", "gzip", "named"])
def test_a_file_is_fetched(client: OpenAI, script: Script, model: str, site: Site, way: str) -> None:
    url = site.has("/of/bird.txt", TRAVELLED.encode())
    if way == "redirect":
        url = site.url("/to?url=/of/bird.txt")
    elif way == "gzip":
        url = site.has("/packed/bird.txt", gzipped(TRAVELLED.encode()), content_encoding="gzip")
    elif way == "named":
        disposition = "attachment; filename*=UTF-8''..%2Fbird.txt"
        url = site.has("/3", TRAVELLED.encode(), content_disposition=disposition) + "?token=secret"
    script.will(says("."))
    client.responses.create(model=model, input=user({"type": "input_file", "file_url": url}))
    assert said(script) == TOLD


#: More of them: `test_reach_doors`.
PRIVATE = ["http://127.0.0.1:{port}/bird.txt", "http://user:password@127.0.0.3:{port}/bird.txt"]


@promise("input_file.reach")
@pytest.mark.parametrize("url", PRIVATE)
def test_no_url_leads_where_callers_may_not_go(careful: Server, site: Site, model: str, url: str) -> None:
    site.has("/bird.txt", TRAVELLED.encode())
    with client_of(careful, Recorder()) as client:
        for given in ({"type": "input_file", "file_url": "?"}, {"type": "input_image", "image_url": "?"}):
            field = next(iter(given.keys() - {"type"}))
            told = refused(client, model, {**given, field: url.format(port=site.port)})
            assert told[:3] == (400, "invalid_value", f"input[0].content[0].{field}")
            assert "password" not in told[3]


@promise("input_file.fetch_limits")
@pytest.mark.parametrize(
    ("path", "reason"),
    [("/endless", "larger"), ("/bomb", "larger"), ("/again", "leads on"), ("/stalls", "1.5 s"), ("/nothing", "404")],
)
def test_what_is_fetched_has_limits(careful: Server, site: Site, model: str, path: str, reason: str) -> None:
    site.taken_bytes = 0
    Path(f"/proc/{careful.pid}/clear_refs").write_text("5")  # the peak is that of now
    before_mb = peak_mb(careful)
    with client_of(careful, Recorder()) as client:
        given = {"type": "input_file", "file_url": site.url(path, "127.0.0.3")}
        status, _, _, message = refused(client, model, given)
    assert (status, reason in message) == (400, True), message
    assert peak_mb(careful) - before_mb < 40
    assert site.taken_bytes < 32 * 2**20  # so much fits into the buffers between


# ---------------------------------------------------------------- ids


@promise("input_file.id", "input_file.kept")
def test_a_file_named_by_id_is_told_also_when_it_is_gone(client: OpenAI, script: Script, model: str) -> None:
    pdf = client.files.create(file=("bird.pdf", documents.pdf(TRAVELLED)), purpose="user_data")
    given = {"type": "input_file", "file_id": pdf.id}
    script.will(says("Fast."), says("Still."))
    first = client.responses.create(model=model, input=user(given))
    told = said(script)
    assert told == f'<file name="bird.pdf">\n[page 1]\n{TRAVELLED}\n</file>'
    client.files.delete(pdf.id)
    second = client.responses.create(model=model, input="And now?", previous_response_id=first.id)
    assert (second.output_text, said(script, 0)) == ("Still.", told)
    (item,) = client.responses.input_items.list(first.id).data
    assert item.to_dict()["content"] == [given]
    assert refused(client, model, given)[:3] == (400, "file_not_found", "input[0].content[0].file_id")


@promise("input_file.id", "input_image.id")
def test_the_files_of_others_are_not_found(start_server: StartServer, script: Script, model: str) -> None:
    ours = start_server(GRAPHNEXUS_API_KEYS="ann:sk-test,bob:sk-bob")
    script.will(says("."))
    with client_of(ours, Recorder()) as ann:
        bob = ann.with_options(api_key="sk-bob")
        file = bob.files.create(file=("bird.txt", TRAVELLED.encode()), purpose="user_data")
        for kind in ("input_file", "input_image"):
            status, code, _, message = refused(ann, model, {"type": kind, "file_id": file.id})
            assert (status, code, message) == (400, "file_not_found", f"File with id '{file.id}' not found.")
        bob.responses.create(model=model, input=user({"type": "input_file", "file_id": file.id}))
    assert said(script) == TOLD


# ---------------------------------------------------------------- images


@promise("input_image.id")
def test_an_image_named_by_id_is_told_as_data(client: OpenAI, script: Script, model: str) -> None:
    picture = documents.png(2, 2)
    kept = client.files.create(file=("a.txt", picture), purpose="vision")
    text = client.files.create(file=("a.png", b"no picture"), purpose="vision")
    script.will(says("Red."), says("Red."))
    given = {"type": "input_image", "file_id": kept.id, "detail": "high"}
    first = client.responses.create(model=model, input=user(given))
    (told,) = said(script)
    assert told["image_url"] == {"url": data(picture, "image/png"), "detail": "high"}
    (item,) = client.responses.input_items.list(first.id).data
    assert item.to_dict()["content"] == [given]
    call = {"type": "computer_call", "id": "cu_1", "call_id": "c", "status": "completed", "pending_safety_checks": []}
    screen = {
        "type": "computer_call_output",
        "call_id": "c",
        "output": {"type": "computer_screenshot", "file_id": kept.id},
    }
    client.responses.create(model=model, input=[call, screen])  # type: ignore[list-item]
    assert said(script)[0]["image_url"]["url"] == data(picture, "image/png")
    told = refused(client, model, {**given, "file_id": text.id})
    assert told[:3] == (400, "unsupported_file", "input[0].content[0].file_id")
    assert "PNG, JPEG, GIF or WebP" in told[3]


@promise("input_image.id")
@pytest.mark.parametrize(
    ("beginning", "kind"),
    [(b"\xff\xd8\xff\xe0", "jpeg"), (b"GIF89a", "gif"), (b"RIFF\x10\0\0\0WEBPVP8 ", "webp")],
)
def test_the_kind_of_an_image_is_what_it_begins_with(
    client: OpenAI, script: Script, model: str, beginning: bytes, kind: str
) -> None:
    kept = client.files.create(file=("a.png", beginning + bytes(20)), purpose="vision")
    script.will(says("."))
    client.responses.create(model=model, input=user({"type": "input_image", "file_id": kept.id}))
    assert said(script)[0]["image_url"]["url"].startswith(f"data:image/{kind};base64,")


@promise("input_file.refused")
def test_files_that_are_too_large_together_are_refused(careful: Server, model: str) -> None:
    with client_of(careful, Recorder()) as client:
        kept = client.files.create(file=("a.txt", b"x" * 600_000), purpose="user_data")
        told = refused(client, model, *[{"type": "input_file", "file_id": kept.id}] * 2)
    assert told[:2] == (400, "file_too_large")
    # They are read at one time: the one that comes second is too much.
    assert told[2] in ("input[0].content[0].file_id", "input[0].content[1].file_id")


@promise("input_image.fetch")
def test_an_image_is_fetched_here_if_the_operator_says_so(
    careful: Server, site: Site, script: Script, model: str
) -> None:
    picture = documents.png()
    site.has("/a", picture, content_type="text/html")
    site.has("/b", b"<html>", content_type="image/png")
    script.will(says("."))
    with client_of(careful, Recorder()) as client:
        image = {"type": "input_image", "image_url": site.url("/a", "127.0.0.3"), "detail": "low"}
        client.responses.create(model=model, input=user(image))
        assert said(script)[0]["image_url"] == {"url": data(picture, "image/png"), "detail": "low"}
        told = refused(client, model, {**image, "image_url": site.url("/b", "127.0.0.3")})
    assert told[:3] == (400, "unsupported_file", "input[0].content[0].image_url")
