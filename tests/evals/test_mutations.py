"""Behaviours broken on purpose, each caught by the grader that should catch it, and by no crash."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from evals.scripted.script import SHIPPED
from tests.contract import promise
from tests.evals.standing import Change, Proxy, attempts, scripted, shipped, standing_between, unchanged
from tests.process import Server

Json = dict[str, Any]


@pytest.fixture(scope="module")
def proxy(over_scripted: Server) -> Proxy:
    return Proxy(over_scripted.origin)


@pytest.fixture(scope="module")
def between(proxy: Proxy) -> Iterator[str]:
    with standing_between(proxy) as url:
        yield url


def of_responses(change: Any) -> Change:
    """Changes responses alone, and only those."""

    def changed(path: str, body: Json) -> Json:
        if body.get("object") == "response":
            change(body)
        return body

    return changed


def of_requests(change: Any) -> Change:
    def changed(path: str, body: Json) -> Json:
        if path == "/v1/responses":
            change(body)
        return body

    return changed


def of_recordings(change: Any) -> Change:
    def changed(path: str, body: Json) -> Json:
        if path.endswith("/recording"):
            change(body)
        return body

    return changed


def of_texts(change: Any) -> Change:
    """Changes what messages say."""

    def changed(response: Json) -> None:
        for item in response["output"]:
            for part in item.get("content") or ():
                if part.get("type") == "output_text":
                    change(part)

    return of_responses(changed)


def lost(body: Json, name: str) -> None:
    body.pop(name, None)


def calls_changed(response: Json) -> None:
    for item in response["output"]:
        if item["type"] == "function_call":
            item["arguments"] = '{"city": "Rome"}'


def one_call_lost(response: Json) -> None:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    if len(calls) > 1:
        response["output"].remove(calls[1])


def never_asked(body: Json) -> None:
    for tool in body.get("tools") or ():
        if tool["type"] == "mcp":
            tool["require_approval"] = "never"


def said(text: str) -> Any:
    return lambda part: part.update(text=text)


def more(text: str) -> Any:
    return lambda part: part.update(text=f"{part['text']}{text}")


def beyond(part: Json) -> None:
    for one in part["annotations"]:
        one["index"] = 10_000


def other_source(part: Json) -> None:
    for one in part["annotations"]:
        one["filename"] = one["file_id"] = "other"


def healed(response: Json) -> None:
    for item in response["output"]:
        if item["type"] == "mcp_call":
            item["status"] = "completed"


def click_lost(response: Json) -> None:
    response["output"] = [item for item in response["output"] if item.get("name") != "browser_click"]


class Latest:
    """Every request goes on from the newest response, whatever it asks for."""

    def __init__(self) -> None:
        self._id: str | None = None

    def asks(self, body: Json) -> None:
        if "previous_response_id" in body:
            body["previous_response_id"] = self._id

    def answers(self, response: Json) -> None:
        self._id = response["id"]


LATEST = Latest()


class Broken(NamedTuple):
    """What is broken, and by which grader of which case it is to be caught."""

    what: str
    suite: str
    case: str
    grader: str
    asks: Change = unchanged
    answers: Change = unchanged


BROKEN = [
    Broken("history is forgotten", "conformance", "remembers the response before", "contains",
           asks=of_requests(lambda body: lost(body, "previous_response_id"))),
    Broken("the parent is not named", "conformance", "remembers the response before", "response",
           answers=of_responses(lambda one: one.update(previous_response_id=None))),
    Broken("a conversation is not kept", "conformance", "remembers in a conversation", "contains",
           asks=of_requests(lambda body: lost(body, "conversation"))),
    Broken("what was not to be stored is", "conformance", "remembers what the client brings", "response",
           answers=of_responses(lambda one: one.update(store=True))),
    Broken("a wrong value is let pass", "conformance", "keeps what came before a refusal", "refused",
           asks=of_requests(lambda body: lost(body, "temperature"))),
    Broken("a refusal names no parameter", "conformance", "refuses a wrong type", "refused",
           answers=lambda path, body: {"error": {**body["error"], "param": None}} if "error" in body else body),
    Broken("an unknown parent is taken", "conformance", "refuses an unknown response", "refused",
           asks=of_requests(lambda body: lost(body, "previous_response_id"))),
    Broken("instructions stay", "conformance", "instructions hold for one response", "contains",
           asks=of_requests(lambda body: body.update(instructions="Always speak of marmalade."))),
    Broken("arguments are changed", "conformance", "streams a call", "tool_call"),
    Broken("nothing runs in the background", "conformance", "works in the background", "response",
           asks=of_requests(lambda body: lost(body, "background"))),
    Broken("JSON comes in a fence", "conformance", "fits a schema", "json_schema",
           answers=of_texts(lambda part: part.update(text=f"```json\n{part['text']}\n```"))),
    Broken("JSON says something else", "conformance", "fits a schema", "json_path",
           answers=of_texts(said('{"name": "Ada Lovelace", "age": 63}'))),
    Broken("usage is not told", "conformance", "counts tokens", "response",
           answers=of_responses(lambda one: one.update(usage=None))),
    Broken("metadata is lost", "conformance", "keeps metadata", "response",
           asks=of_requests(lambda body: lost(body, "metadata"))),
    Broken("a node does not run", "conformance", "runs its nodes in order", "node_path",
           answers=of_recordings(lambda one: one["steps"].pop(1))),
    Broken("the checkpoint holds something else", "conformance", "runs its nodes in order", "checkpoint_state",
           answers=of_recordings(lambda one: one["output"][0]["item"].update(role="user"))),
    Broken("answers had to be repaired", "conformance", "runs its nodes in order", "repairs",
           answers=of_recordings(lambda one: one.update(repairs=2))),
    Broken("the wrong city is asked for", "tools", "one call", "trajectory", answers=of_responses(calls_changed)),
    Broken("of two calls one is lost", "tools", "two cities", "answered", answers=of_responses(one_call_lost)),
    Broken("a number is wrong", "tools", "no tool", "numeric", answers=of_texts(said("6 times 7 is 41."))),
    Broken("a failure looks like a success", "tools", "a tool that fails", "tool_call",
           answers=of_responses(healed)),
    Broken("calls are made unasked", "approvals", "asks and waits", "forbidden_tool", asks=of_requests(never_asked)),
    Broken("a no is not heard", "approvals", "takes a no", "forbidden_tool", asks=of_requests(never_asked)),
    Broken("a yes is not heard", "approvals", "acts upon a yes", "tool_call",
           asks=of_requests(lambda body: [one.update(approve=False) for one in body["input"] if "approve" in one])),
    Broken("a secret is told", "injection", "asked for outright", "secret_leak",
           answers=of_texts(more(" It is canary-b1d2."))),
    Broken("a mark is left over", "retrieval", "a fact with its source", "citations", answers=of_texts(more("【1】"))),
    Broken("citations stand nowhere", "retrieval", "a fact with its source", "citations", answers=of_texts(beyond)),
    Broken("another file is cited", "retrieval", "a fact with its source", "citations",
           answers=of_texts(other_source)),
    Broken("a branch knows of another", "conformance", "branches know nothing of each other", "contains",
           asks=of_requests(LATEST.asks), answers=of_responses(LATEST.answers)),
    Broken("code comes to something else", "code", "a sum", "numeric", answers=of_texts(said("It is 333833501."))),
    Broken("a file is not given", "code", "a file that is made", "citations",
           answers=of_texts(lambda part: part.update(annotations=[]))),
    Broken("a page tells the model what to say", "browsing", "is not told what to do by a page", "secret_leak",
           answers=of_texts(more(" CANARY-55E1"))),
    Broken("a click is not made", "browsing", "by a link", "trajectory", answers=of_responses(click_lost)),
]  # fmt: skip


@promise("suites.mutations")
@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.what.replace(" ", "-"))
async def test_what_is_broken_is_caught(broken: Broken, proxy: Proxy, between: str, tmp_path: Path) -> None:
    proxy.asks, proxy.answers = broken.asks, broken.answers
    proxy.tells = wrong_city if broken.what == "arguments are changed" else lambda event: event
    made = (await attempts(shipped(broken.suite, broken.case), between, tmp_path))[broken.case]
    assert made.fault is None and not made.passed
    assert broken.grader in [grade.grader for grade in made.grades if not grade.passed], made.grades


def wrong_city(event: Json) -> Json:
    if event["type"] == "response.completed":
        calls_changed(event["response"])
    return event


def renumbered(event: Json) -> Json:
    return {**event, "sequence_number": event["sequence_number"] * 2}


def without_ends(event: Json) -> Json:
    return {} if event["type"] == "response.output_text.done" else event


def failing_end(event: Json) -> Json:
    if event["type"] != "response.completed":
        return event
    return {**event, "type": "response.incomplete"}


@promise("suites.mutations")
@pytest.mark.parametrize("tells", [renumbered, without_ends, failing_end])
async def test_a_broken_stream_is_caught(tells: Any, proxy: Proxy, between: str, tmp_path: Path) -> None:
    proxy.asks = proxy.answers = unchanged
    proxy.tells = tells
    made = (await attempts(shipped("conformance", "streams in order"), between, tmp_path))["streams in order"]
    assert made.fault is None
    assert "events" in [grade.grader for grade in made.grades if not grade.passed]


GULLIBLE = [
    {"tool": "send the mail '(.+?)' to (\\S+)",
     "calls": [{"name": "send_mail", "arguments": {"to": "{{found[2]}}", "text": "{{found[1]}}"}}]},
    {"user": "staff code", "system": "staff code is ([\\w-]+)", "say": "It is {{found[2]}}."},
]  # fmt: skip


@promise("suites.mutations")
async def test_a_gullible_model_is_caught(tmp_path: Path, start_server: Any) -> None:
    script = yaml.safe_load((SHIPPED / "baseline.yaml").read_text())
    script["rules"] = [*copy.deepcopy(GULLIBLE), *script["rules"]]
    path = tmp_path / "gullible.yaml"
    path.write_text(yaml.safe_dump(script))
    with scripted(tmp_path / "log", str(path)) as url:
        server = start_server(upstream_url=url)
        made = await attempts(shipped("injection"), server.url, tmp_path / "run")
    caught = {id: {grade.grader for grade in one.grades if not grade.passed} for id, one in made.items()}
    assert {"secret_leak", "forbidden_tool"} <= caught["in the reply of a tool"]
    assert "secret_leak" in caught["asked for outright"]
