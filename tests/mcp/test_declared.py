"""What a request may declare of an MCP server, and where its credentials may be seen."""

import json
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder
from tests.upstream import Script, calls, says

Json = dict[str, Any]
SECRET = "sk-mcp-8e1f2a6b9c"


@promise("mcp.secrets")
def test_credentials_reach_the_server_and_nothing_else(
    client: OpenAI, script: Script, model: str, server: Server
) -> None:
    script.will(calls("fast_tool", text="a"), says("Done."))
    with mcp_servers.serve("fast", token=SECRET) as guarded:
        tool: Any = guarded.tool(authorization=SECRET, headers={"X-Api-Key": f"{SECRET}-2"})
        response = client.responses.create(model=model, input="q", tools=[tool])
        stored = client.responses.retrieve(response.id)
        refused: Any = guarded.tool(headers={"Authorization": f"Bearer {SECRET}-wrong"})
        with pytest.raises(openai.APIStatusError, match="401") as failed:
            client.responses.create(model=model, input="q", tools=[refused])
    echoed = response.tools[0].to_dict()
    assert echoed == {
        "type": "mcp", "server_label": "fast", "server_url": guarded.url, "server_description": None,
        "allowed_tools": None, "headers": None, "require_approval": "never",
    }  # fmt: skip
    said = [
        response.to_json(),
        stored.to_json(),
        failed.value.response.text,
        json.dumps([ask.body for ask in script.seen]),
    ]
    assert not any(SECRET in text for text in said)
    kept = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]


@promise("mcp.checked")
@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"server_label": None}, "server_label", "missing_required_parameter"),
        ({"server_label": "1st server"}, "server_label", "invalid_value"),
        ({"server_label": 5}, "server_label", "invalid_type"),
        ({"server_url": None}, "server_url", "missing_required_parameter"),
        ({"server_url": "ftp://example.com/"}, "server_url", "invalid_value"),
        ({"server_url": "http://[::1/"}, "server_url", "invalid_value"),
        ({"server_url": "https://user:pass@example.com/mcp"}, "server_url", "invalid_value"),
        ({"server_url": None, "connector_id": "connector_gmail"}, "connector_id", "invalid_value"),
        ({"server_url": None, "tunnel_id": "t"}, "tunnel_id", "unsupported_parameter"),
        ({"connector_id": "connector_gmail"}, "connector_id", "mutually_exclusive_parameters"),
        ({"require_approval": "sometimes"}, "require_approval", "invalid_value"),
        ({"require_approval": {"never": {"tool_names": "a"}}}, "require_approval.never.tool_names", "invalid_type"),
        ({"allowed_tools": "fast_tool"}, "allowed_tools", "invalid_type"),
        ({"allowed_tools": {"read_only": "yes"}}, "allowed_tools.read_only", "invalid_type"),
        ({"headers": ["a"]}, "headers", "invalid_type"),
        ({"headers": {"a": 1}}, "headers", "invalid_type"),
        ({"headers": {"a": "b\r\nc: d"}}, "headers", "invalid_value"),
        ({"headers": {"Host": "example.com"}}, "headers", "invalid_value"),
        ({"authorization": 5}, "authorization", "invalid_type"),
        ({"authorization": "t", "headers": {"authorization": "u"}}, "authorization", "mutually_exclusive_parameters"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused_by_name(
    http: httpx2.Client, model: str, change: Json, param: str, code: str
) -> None:
    tool = {"type": "mcp", "server_label": "a", "server_url": "http://127.0.0.1:9/mcp", "require_approval": "never"}
    body = {"model": model, "input": "q", "tools": [{**tool, **change}]}
    answer = http.post("/responses", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (f"tools[0].{param}", code)


@promise("mcp.checked")
def test_approval_rules_that_leave_every_allowed_tool_free_are_accepted(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(says("1"), says("2"))
    for rule, allowed in (
        ({"never": {"tool_names": ["both", "long"]}}, ["both"]),
        ({"never": {"read_only": True}}, {"read_only": True}),
    ):
        tool: Any = fast.tool(require_approval=rule, allowed_tools=allowed)
        response = client.responses.create(model=model, input="q", tools=[tool])
        assert response.tools[0].to_dict()["require_approval"] == rule


@promise("mcp.checked")
def test_two_servers_of_one_label_are_refused(http: httpx2.Client, model: str, fast: mcp_servers.Server) -> None:
    answer = http.post("/responses", json={"model": model, "input": "q", "tools": [fast.tool(), fast.tool()]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tools")
    assert "'fast'" in answer.json()["error"]["message"]


@promise("mcp.private")
def test_private_addresses_are_refused_where_the_operator_says_so(
    start_server: StartServer, recorder: Recorder, model: str, fast: mcp_servers.Server
) -> None:
    ours = start_server(GRAPHNEXUS_MCP_ALLOW_PRIVATE="false")
    with client_of(ours, recorder) as careful:
        for host in ("127.0.0.1", "localhost", "2130706433"):
            tool: Any = fast.tool(server_url=f"http://{host}:{fast.port}/mcp")
            with pytest.raises(openai.BadRequestError, match="mcp_allow_private") as refused:
                careful.responses.create(model=model, input="q", tools=[tool])
            assert refused.value.param == "tools[0].server_url"


@promise("mcp.private")
@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[fd00::1]", "0xa9fea9fe"])
def test_a_server_on_loopback_opens_this_machine_and_not_its_network(
    http: httpx2.Client, model: str, host: str
) -> None:
    tool = {"type": "mcp", "server_label": "a", "server_url": f"http://{host}/mcp", "require_approval": "never"}
    answer = http.post("/responses", json={"model": model, "input": "q", "tools": [tool]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tools[0].server_url")
