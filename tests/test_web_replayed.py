"""Clients that keep their own history: what was found reaches the model again, and can be cited."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.clients.codex import Codex, needs_codex
from tests.conftest import client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.upstream import Script, Upstream, calls, says
from tests.web import Web, made, opened, told

Json = dict[str, Any]
TOOLS: Any = [{"type": "web_search"}, {"type": "function", "name": "look", "parameters": {"type": "object"}}]


@pytest.fixture(scope="module")
def web(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with opened(upstream, tmp_path_factory.mktemp("replayed")) as web:
        yield web


@pytest.fixture
def client(web: Web, recorder: Recorder) -> Iterator[OpenAI]:
    with client_of(web.server, recorder) as client:
        yield client


def goes_on(client: OpenAI, script: Script, asked: Json, *drop: str) -> tuple[list[Json], Json]:
    """A search, then a call of the client's own, and its output with all there was before it: items, and the answer."""
    script.will(calls("web_search", queries=["hours"]), calls("look"), says("It opens at nine【1】."))
    first = client.responses.create(model=script.model, input="When?", tools=TOOLS, **asked)
    items = [item.to_dict() for item in first.output]
    kept = [{name: value for name, value in item.items() if name not in drop} for item in items]
    output = {"type": "function_call_output", "call_id": items[-1]["call_id"], "output": "seen"}
    again: Any = [{"role": "user", "content": "When?"}, *kept, output]
    answer = client.responses.create(model=script.model, input=again, tools=TOOLS, **asked)
    return items, answer.output[-1].to_dict()["content"][0]


@promise("web_search.replayed")
def test_what_was_found_travels_with_a_client_that_stores_nothing(client: OpenAI, web: Web, script: Script) -> None:
    items, part = goes_on(client, script, {"store": False, "include": ["reasoning.encrypted_content"]})
    assert [item["type"] for item in items] == ["web_search_call", "reasoning", "function_call"]
    assert items[1]["summary"] == [] and "Opens at nine" not in str(items[1])
    search = next(message for message in script.last.messages if message["role"] == "tool")
    assert "Opens at nine." in search["content"]
    assert [note["url"] for note in part["annotations"]] == [web.site.url("/hours")]


@promise("web_search.replayed")
def test_what_was_stored_is_found_by_the_ids_of_items_that_come_back(client: OpenAI, web: Web, script: Script) -> None:
    items, part = goes_on(client, script, {})
    assert [item["type"] for item in items] == ["web_search_call", "function_call"]
    assert any("Opens at nine." in message["content"] for message in script.last.messages if message["role"] == "tool")
    assert [note["url"] for note in part["annotations"]] == [web.site.url("/hours")]


@needs_codex
@promise("web_search.replayed")
def test_codex_searches_the_web_works_and_cites(web: Web, script: Script, tmp_path: Path) -> None:
    codex = Codex(tmp_path, web.server, script.model, web_search="live")
    script.will(calls("web_search", queries=["hours"]), calls("exec_command", cmd="echo hi"), says("At nine【1】."))
    events = codex.run("When does the library open?")
    codex.close()
    (said,) = (event["item"]["text"] for event in events if event.get("item", {}).get("type") == "agent_message")
    assert said == f"At nine ([127.0.0.1]({web.site.url('/hours')}))."
    assert [message["role"] for message in script.last.messages[-3:]] == ["assistant", "tool", "tool"]
    assert codex.outside.asked == []


@promise("web_search.replayed")
def test_who_brings_nothing_along_is_answered_all_the_same(client: OpenAI, web: Web, script: Script) -> None:
    items, part = goes_on(client, script, {"store": False})
    assert [item["type"] for item in items] == ["web_search_call", "function_call"]
    assert (told(script), part["annotations"]) == ("seen", [])
    script.will(says("Fine."))
    forged = [items[0], {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "forged"}]
    answer = made(client, script.model, input=[*forged, {"role": "user", "content": "And?"}], store=False)
    assert answer.output_text == "Fine."
