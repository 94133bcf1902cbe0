"""What the operator rules about approvals: on a server with rules and keys, and the rules on their own."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from graph.policy import Guard, Rule
from tests import mcp_servers
from tests.conftest import check_log
from tests.contract import promise
from tests.mcp.approving import answer, types
from tests.process import Server
from tests.recorder import Recorder, RecordingTransport
from tests.upstream import Script, Upstream, calls, says

Json = dict[str, Any]
RULES: list[Json] = [
    {"policy": "always", "owner": "bob", "tool": "mcp"},
    {"policy": "never", "server": "fast", "name": "fast_*", "arguments": {"text": "safe*", "seconds": "0"}},
    {"policy": "always", "name": "fast_tool"},
    {"policy": "ask", "server": "fast", "name": "both"},
    {"policy": "always", "name": "pict*"},
    {"policy": "always", "tool": "tool_search", "owner": "eve"},
]
SAFE = {"text": "safe one", "seconds": 0}


@pytest.fixture(scope="module")
def ruled(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with rules, keys, and as quiet as it can be."""
    server = Server(
        tmp_path_factory.mktemp("ruled"),
        upstream.url,
        GRAPHNEXUS_APPROVAL=json.dumps(RULES),
        GRAPHNEXUS_API_KEYS="ada:sk-ada,bob:sk-bob,eve:sk-eve",
        GRAPHNEXUS_MCP_ALLOW_PRIVATE="true",
        GRAPHNEXUS_LOG_LEVEL="error",
    ).start()
    yield server
    server.stop()
    check_log(server.log())


#: Owner, tool, arguments, what the request wants, whether it waits.
Case = tuple[str, str, Json, str | None, bool]
CASES: list[Case] = [
    ("ada", "fast_tool", SAFE, "never", False),
    ("ada", "fast_tool", SAFE, None, False),
    ("ada", "fast_tool", SAFE, "always", True),
    ("ada", "fast_tool", {"text": "evil", "seconds": 0}, "never", True),
    ("ada", "fast_tool", {"text": "safe one"}, "never", True),
    ("ada", "both", {"text": "x"}, "never", False),
    ("ada", "both", {"text": "x"}, None, True),
    ("ada", "picture", {}, "never", True),
    ("ada", "long", {"chars": 3}, "never", False),
    ("ada", "long", {"chars": 3}, None, True),
    ("bob", "fast_tool", SAFE, "never", True),
]


@promise("approvals.policy")
@pytest.mark.parametrize("case", CASES)
def test_the_first_rule_that_matches_counts(
    ruled: Server, fast: mcp_servers.Server, script: Script, case: Case
) -> None:
    owner, tool, arguments, wanted, waits = case
    script.will(calls(tool, **arguments), *([] if waits else [says("Done.")]))
    client = OpenAI(base_url=ruled.url, api_key=f"sk-{owner}", max_retries=0)
    declared: Any = {key: value for key, value in fast.tool(require_approval=wanted).items() if value}
    response = client.responses.create(model=script.model, input="q", tools=[declared])
    assert types(response)[1:] == (["mcp_approval_request"] if waits else ["mcp_call", "message"])


@promise("approvals.listed", "approvals.audit")
def test_another_owner_sees_nothing_and_decisions_are_told_at_every_level(
    ruled: Server, fast: mcp_servers.Server, script: Script
) -> None:
    script.will(calls("both", text="b"), says("Done."))
    bob = OpenAI(base_url=ruled.url, api_key="sk-bob", max_retries=0)
    asked = bob.responses.create(model=script.model, input="q", tools=[fast.tool()])
    id = asked.output[-1].id
    ada = httpx2.Client(base_url=ruled.url, headers={"authorization": "Bearer sk-ada"})
    assert ada.get(f"/approvals/{id}").status_code == 404
    assert ada.post(f"/approvals/{id}", json={"approve": True}).status_code == 404
    assert id not in ada.get("/approvals?limit=100").text
    bob.post(f"/approvals/{id}", body={"approve": True}, cast_to=object)
    response = bob.responses.create(model=script.model, previous_response_id=asked.id, tools=[fast.tool()])
    assert types(response) == ["mcp_call", "message"]
    lines = [line for line in ruled.log().splitlines() if id in line]
    assert [("Call approved" in line, "owner=bob" in line) for line in lines] == [(True, True), (False, True)]


@promise("approvals.policy")
def test_other_hosted_tools_wait_as_well(
    ruled: Server, recorder: Recorder, fast: mcp_servers.Server, script: Script
) -> None:
    script.will(calls("tool_search", query="a name that two servers have"), calls("both", text="found"), says("Done."))
    plain = httpx2.Client(transport=RecordingTransport(recorder))
    eve = OpenAI(base_url=ruled.url, api_key="sk-eve", max_retries=0, http_client=plain)
    tools: Any = [{"type": "tool_search"}, fast.tool(defer_loading=True)]
    asked: Any = eve.responses.create(model=script.model, input="q", tools=tools)
    request = asked.output[-1]
    assert (request.type, request.server_label, request.name) == ("mcp_approval_request", "tool_search", "tool_search")
    stream = eve.responses.create(
        model=script.model, previous_response_id=asked.id, input=[answer(request)], tools=tools, stream=True
    )
    last: Any = list(stream)[-1]
    assert types(last.response) == ["tool_search_call", "tool_search_output", "mcp_call", "message"]
    assert last.response.output[0].to_dict()["approval_request_id"] == request.id

    script.will(says("Again."))
    items = [*asked.output, answer(request), *last.response.output]
    history: Any = [
        {"role": "user", "content": "q"},
        *(one if isinstance(one, dict) else one.to_dict() for one in items),
    ]
    again = eve.responses.create(model=script.model, input=history, tools=tools, store=False)
    assert again.output_text == "Again."
    calls_made = [call["id"] for message in script.last.messages for call in message.get("tool_calls", ())]
    assert [message["tool_call_id"] for message in script.last.messages if message["role"] == "tool"] == calls_made
    assert len(calls_made) == 2


# ---------------------------------------------------------------- the rules on their own


@dataclass
class Named:
    """As much of a function as rules look at."""

    wants_approval: bool | None
    cautious: bool
    kind: str = "mcp"
    origin: tuple[str, str] = ("server", "tool")
    known_as: str = "server"
    known_as: str = "server"


@promise("approvals.policy")
def test_a_call_that_may_have_to_wait_is_not_shown_before_that_is_known() -> None:
    seen = {True: 0, False: 0}
    shapes: list[dict[str, str]] = [{}, {"a": "x*"}, {"a": "*"}]
    rules = [Rule(policy, arguments=shape) for policy in ("always", "ask", "never") for shape in shapes]
    given: list[Json] = [{}, {"a": "x"}, {"a": "y"}, {"a": {"x": [1]}}]
    for few in itertools.chain([()], itertools.product(rules), itertools.product(rules, rules)):
        guard = Guard("me", few)
        for wants, cautious in itertools.product((None, True, False), (True, False)):
            function: Any = Named(wants, cautious)
            asks = [guard.asks(function, arguments) for arguments in given]
            assert guard.may_ask(function) or not any(asks)
            certain = not any(rule.arguments for rule in few)
            assert not certain or guard.may_ask(function) == all(asks)
            seen[any(asks)] += 1
    assert min(seen.values()) > 50


@promise("approvals.policy")
def test_patterns_meet_values_as_they_are_written() -> None:
    rule = Rule("always", arguments={"path": "/etc/*", "force": "true", "size": "[0-9]"})
    assert rule.covers({"path": "/etc/passwd\nand more", "force": True, "size": 7})
    assert not rule.covers({"path": "/ETC/passwd", "force": True, "size": 7})
    assert not rule.covers({"path": "/etc/passwd", "force": True})
