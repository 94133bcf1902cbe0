"""Servers that want to do harm: what they may cost in seconds and memory, and what caller and model are told.

docs/security.md has the table of what was measured; the bounds here leave a busy machine some room.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.conftest import check_log, client_of
from tests.contract import promise
from tests.mcp.hostile import MB, SCHEMAS, Hostile
from tests.mcp.told import told
from tests.process import Server
from tests.recorder import Recorder
from tests.told import ended, eventually
from tests.upstream import Script, Upstream, calls, says, together

Json = dict[str, Any]
Harm = Callable[..., Json]
CALL_S, CONNECT_S = 4, 4
#: A machine on which others work, too, takes so many times longer.
SLACK = 2
SECRET = "sk-hostile-5f1e8a2b7c"


@pytest.fixture(scope="module")
def ours(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    hurry = {"GRAPHNEXUS_MCP_CALL_TIMEOUT_S": str(CALL_S), "GRAPHNEXUS_MCP_CONNECT_TIMEOUT_S": str(CONNECT_S)}
    server = Server(tmp_path_factory.mktemp("ours"), upstream.url, "--log-level", "debug", **hurry).start()
    yield server
    server.stop()
    check_log(server.log())
    assert not kept_secrets(server)


def kept_secrets(server: Server) -> list[Path]:
    """Files of a server, its log among them, that hold a secret."""
    kept = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert len(kept) > 1
    return [path for path in kept if SECRET.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    with Hostile() as server:
        yield server


@pytest.fixture
def bound(ours: Server, recorder: Recorder) -> Iterator[OpenAI]:
    with client_of(ours, recorder) as client:
        yield client


class Cost:
    """What a process has needed since this was made: seconds of the clock and of the CPU, MB above what it had."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text("5")  # the peak begins anew
        self._before_mb, self._cpu_before_s = self._peak_mb(), self._cpu_used_s()
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    @property
    def cpu_s(self) -> float:
        return self._cpu_used_s() - self._cpu_before_s

    @property
    def mb(self) -> float:
        return self._peak_mb() - self._before_mb

    def _peak_mb(self) -> float:
        status = (self._process / "status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1000

    def _cpu_used_s(self) -> float:
        fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@pytest.fixture
def harm(bound: OpenAI, script: Script, model: str, ours: Server, hostile: Hostile) -> Harm:
    """Call a tool of the hostile server; the call's item. The next call of the same server is as good as ever."""

    def called(name: str, limit_s: float, limit_mb: float, **fields: Any) -> Json:
        only = hostile.tool(allowed_tools=[name, "fine"], **fields)
        script.will(calls(name), calls("fine"), says("."))
        cost = Cost(ours.pid)
        response = bound.responses.create(model=model, input="q", tools=[only])
        print(f"| {name} | {cost.seconds:.1f} s | {cost.cpu_s:.1f} s | {cost.mb:.0f} MB |")
        assert cost.seconds < SLACK * limit_s
        assert cost.mb < limit_mb
        harmful, fine = [item.to_dict() for item in response.output if item.type == "mcp_call"]
        assert (response.status, fine["output"]) == ("completed", "fine")
        return harmful

    return called


TIME_OUT = f"The MCP server did not answer within {CALL_S:g} s."
FAILS = [
    # tool, what is told, seconds, MB
    ("json_100mb", "larger than 16000000 bytes", 4, 120),
    ("line_100mb", "larger than 16000000 bytes", 4, 120),
    ("events_100mb", "larger than 16000000 bytes", 6, 60),
    ("tiny_chunks", "more than 50000 pieces", 6, 60),
    ("many_lines", "more than 500000 lines", 4, 40),
    ("questions", "asked more than 50 questions", 4, 40),
    ("many_values", "more than 500000 values", 4, 120),
    ("deep", "100 levels", 3, 40),
    ("deep_within_parsers", "100 levels", 3, 40),
    ("wrong_id", "something else than it was asked", 3, 40),
    ("wrong_id_event", "ended its answer before it was complete", 3, 40),
    ("no_version", "not JSON-RPC", 3, 40),
    ("resume_for_ever", "cut its answer more than 20 times", 4, 40),
    ("image_50mb", "larger than 16000000 bytes", 4, 120),
    ("redirect_inside", "HTTP status 307", 3, 40),
]


@promise("mcp.hostile.call")
@pytest.mark.parametrize(("name", "message", "limit_s", "limit_mb"), FAILS, ids=[case[0] for case in FAILS])
def test_a_harmful_answer_fails_its_call_within_bounds(
    harm: Harm, script: Script, name: str, message: str, limit_s: float, limit_mb: float
) -> None:
    call = harm(name, limit_s, limit_mb)
    assert (call["status"], call["output"]) == ("failed", None)
    assert message in call["error"]["message"]
    assert message in told(script)[0]


@promise("mcp.hostile.call")
def test_answers_that_never_end_are_given_up_in_time(
    bound: OpenAI, script: Script, model: str, ours: Server, hostile: Hostile
) -> None:
    names = ["drip_head", "drip_body", "drip_events", "progress_for_ever", "retry_never"]
    script.will(together(*((name, {}) for name in names)), says("."))
    cost = Cost(ours.pid)
    response = bound.responses.create(model=model, input="q", tools=[hostile.tool(allowed_tools=names)])
    print(f"| {', '.join(names)} | {cost.seconds:.1f} s | {cost.cpu_s:.1f} s | {cost.mb:.0f} MB |")
    assert cost.seconds < CALL_S + 3
    assert cost.mb < 40
    assert told(script) == [TIME_OUT] * len(names)
    # Nothing goes on behind the back of those who have given up.
    eventually(lambda: hostile.open_calls & set(names) and 1 / 0, ZeroDivisionError)
    assert [item.status for item in response.output if item.type == "mcp_call"] == ["failed"] * len(names)


@promise("mcp.hostile.call")
def test_a_flood_of_notifications_and_a_second_answer_are_passed_over(harm: Harm) -> None:
    assert harm("flood", 6, 60)["output"] == "after the flood"
    assert harm("twice", 3, 40)["output"] == "first"


@promise("mcp.hostile.result")
@pytest.mark.parametrize(("name", "limit_mb"), [("huge", 140), ("huge_and_wide", 320)])
def test_the_largest_result_is_cut_and_says_so(harm: Harm, script: Script, name: str, limit_mb: float) -> None:
    output = harm(name, 5, limit_mb)["output"]
    note = re.fullmatch(r"x+\n\[cut: (\d+) of (\d+) characters are not shown\]", output)
    assert note
    assert int(note[2]) - int(note[1]) == 1_000_000
    assert re.search(r"\n\[cut: \d+ of 1\d{7} characters are not shown\]$", told(script)[0])
    assert len(told(script)[0]) < 100_100


@promise("mcp.hostile.result")
def test_parts_beyond_a_thousand_are_not_looked_at(harm: Harm) -> None:
    output = harm("many_parts", 5, 120)["output"]
    assert output.endswith("a\n[cut: 49000 of 50000 parts are not shown]")


@promise("mcp.hostile.result")
def test_what_is_no_picture_is_not_shown_to_a_model_as_one(harm: Harm, script: Script) -> None:
    harm("image_of_text", 3, 40)
    assert (
        told(script)[0] == "[image: image/png, 6 bytes]\n[image: image/svg+xml, 6 bytes]\n[image: image/png, 6 bytes]"
    )
    harm("image_10mb", 4, 140)
    assert told(script)[0] == "[image: image/png, 7500000 bytes]"
    harm("image_named_wrong", 3, 40)
    assert "data:image/png;base64" in json.dumps(script.last.messages)


@promise("mcp.hostile.result")
def test_links_are_text_and_content_counts_more_than_what_contradicts_it(harm: Harm, script: Script) -> None:
    links = "[resource a b: file:///etc/passwd]\n[resource a b: javascript:alert(1)]\n"
    assert harm("links", 3, 40)["output"] == f"{links}[resource a b: http://169.254.169.254/]"
    assert harm("contradicts", 3, 40)["output"] == "19 degrees"


@promise("mcp.hostile.call")
def test_a_stream_of_the_older_transport_that_never_ends_is_left(harm: Harm, hostile: Hostile) -> None:
    call = harm("flood", 8, 60, server_url=hostile.url("/sse"))
    assert call["error"]["message"] == "The MCP server says much more than it was asked."


@promise("mcp.hostile.call")
def test_a_server_cannot_pretend_that_a_call_never_reached_it(harm: Harm, hostile: Hostile) -> None:
    before = hostile.counts.copy()
    assert harm("forged", 3, 40)["error"] == {"type": "mcp_protocol_error", "code": 1, "message": "Forged."}
    assert (hostile.counts - before)["forged"] == 1


@promise("mcp.hostile.reach")
def test_an_address_in_a_refusal_is_not_asked(harm: Harm, hostile: Hostile) -> None:
    assert harm("unauthorized", 3, 40)["error"]["code"] == 401
    assert hostile.counts["/metadata"] == 0
    assert hostile.hosts == {f"127.0.0.1:{hostile.port}"}


# ---------------------------------------------------------------- listings


@pytest.fixture
def refused(bound: OpenAI, model: str, ours: Server, hostile: Hostile) -> Callable[..., str]:
    """What a caller is told of a listing at `/list/NAME` that fails."""

    def told(name: str, limit_s: float, limit_mb: float) -> str:
        cost = Cost(ours.pid)
        with pytest.raises(openai.APIStatusError) as failed:
            bound.responses.create(model=model, input="q", tools=[hostile.tool(f"/list/{name}")])
        print(f"| list: {name} | {cost.seconds:.1f} s | {cost.cpu_s:.1f} s | {cost.mb:.0f} MB |")
        assert cost.seconds < SLACK * limit_s
        assert cost.mb < limit_mb
        assert failed.value.status_code == 424
        return str(failed.value)

    return told


@promise("mcp.hostile.list")
@pytest.mark.parametrize(
    ("name", "message", "limit_s", "limit_mb"),
    [
        ("endless", "more than 100 pages", 4, 40),
        ("growing", "more than 1000 tools", 4, 40),
        ("drip", f"within {CONNECT_S} s", 8, 40),
        ("pages_10mb", "list of tools is larger than 16000000 bytes", 4, 120),
        ("list_100mb", "larger than 16000000 bytes", 4, 120),
        ("bomb", "100 levels", 4, 40),
        ("session_1mb", "connection to the MCP server was lost", 4, 40),
        ("session_90kb", "an id that cannot be used", 4, 40),
        ("session_odd", "an id that cannot be used", 4, 40),
        ("hello", "larger than 1000000 bytes", 4, 40),
    ],
)
def test_a_harmful_listing_is_refused_within_bounds(
    refused: Callable[..., str], name: str, message: str, limit_s: float, limit_mb: float
) -> None:
    assert message in refused(name, limit_s, limit_mb)


@pytest.fixture
def listed(bound: OpenAI, script: Script, model: str, ours: Server, hostile: Hostile) -> Callable[..., dict[str, Json]]:
    """The tools that are shown of `/list/NAME`, by their names."""

    def shown(name: str, limit_s: float, limit_mb: float, **fields: Any) -> dict[str, Json]:
        script.will(says("."))
        cost = Cost(ours.pid)
        response = bound.responses.create(model=model, input="q", tools=[hostile.tool(f"/list/{name}", **fields)])
        print(f"| list: {name} | {cost.seconds:.1f} s | {cost.cpu_s:.1f} s | {cost.mb:.0f} MB |")
        assert cost.seconds < SLACK * limit_s
        assert cost.mb < limit_mb
        tools: list[Json] = response.output[0].to_dict()["tools"]  # type: ignore[assignment]
        assert len(tools) == len({tool["name"] for tool in tools})
        return {tool["name"]: tool for tool in tools}

    return shown


@promise("mcp.hostile.list")
def test_tools_without_a_name_that_fits_are_left_out(listed: Callable[..., dict[str, Json]]) -> None:
    assert list(listed("names", 3, 40)) == ["good", "odd name/ü"]


@promise("mcp.hostile.list")
def test_schemas_that_cannot_be_passed_on_are_left_away_with_a_note(
    listed: Callable[..., dict[str, Json]], script: Script
) -> None:
    tools = listed("schemas", 5, 120)
    for name in SCHEMAS:
        assert tools[name]["input_schema"] == {"type": "object", "properties": {}}
        assert re.match(r"Said\.\n\[The input schema of this tool was left away: .+\.\]$", tools[name]["description"])
    assert tools["good"]["description"] == "Adds two numbers."
    assert tools["good"]["input_schema"]["properties"]["a"]["description"] == "Adds two numbers."
    assert tools["long"]["description"].endswith("x\n[cut: 992000 of 1000000 characters are not shown]")
    assert len(script.last.body["tools"]) == len(tools)


@promise("mcp.hostile.list")
def test_a_list_that_is_too_large_ends_where_there_is_no_more_room(listed: Callable[..., dict[str, Json]]) -> None:
    tools = listed("large", 5, 120)
    assert 5 < len(tools) < 12
    assert len(json.dumps(tools)) < 2.1 * MB


@promise("mcp.hostile.list")
def test_a_tool_cannot_take_the_name_of_a_function_of_the_callers(
    bound: OpenAI, script: Script, model: str, hostile: Hostile
) -> None:
    own: Json = {"type": "function", "name": "fine", "parameters": {"type": "object", "properties": {}}}
    script.will(together(("fine", {}), ("h__fine", {}), ids=["call_1", "call_2"]))
    tools: Any = [hostile.tool(allowed_tools=["fine"]), own]
    response = bound.responses.create(model=model, input="q", tools=tools)
    assert sorted(item.type for item in response.output[1:]) == ["function_call", "mcp_call"]


# ---------------------------------------------------------------- secrets


@promise("mcp.hostile.secrets", "mcp.secrets")
def test_secrets_that_a_server_repeats_go_no_further(
    bound: OpenAI, script: Script, model: str, ours: Server, hostile: Hostile
) -> None:
    """The store, the log at level debug and everything beside are searched when the server has ended."""
    tool = hostile.tool(
        f"/mcp?api_key={SECRET}-url&region=eu",
        allowed_tools=["echo", "echo_error"],
        authorization=f"{SECRET}-token",
        headers={"X-Api-Key": f"{SECRET}-header", "Cookie": f"a={SECRET}-cookie", "X-Auth": f"{SECRET} with blanks"},
    )
    script.will(calls("echo"), calls("echo_error"), says("."), calls("echo"), says("."))
    response = bound.responses.create(model=model, input="q", tools=[tool])
    apart = bound.responses.create(model=model, input="q", tools=[tool], background=True)
    said = [response.to_json(), bound.responses.retrieve(response.id).to_json(), ended(bound, apart.id).to_json()]
    said += [json.dumps([ask.body for ask in script.seen])]
    assert not [text for text in said if SECRET in text]
    assert not kept_secrets(ours)
    assert response.tools[0].to_dict()["server_url"] == hostile.url("/mcp?api_key=REDACTED&region=eu")
    assert [item.to_json().count("[redacted]") >= 4 for item in response.output[1:3]] == [True, True]
    assert hostile.counts[f"/mcp?api_key={SECRET}-url&region=eu"] > 1


@promise("mcp.hostile.secrets")
def test_secrets_in_names_and_descriptions_go_no_further(listed: Callable[..., dict[str, Json]]) -> None:
    tools = listed("secrets", 3, 40, headers={"X-Api-Key": f"{SECRET}-header"})
    assert list(tools) == ["good"]
    assert "[redacted]" in tools["good"]["description"]


@promise("mcp.hostile.call")
def test_others_are_served_while_a_server_does_harm(
    bound: OpenAI, script: Script, model: str, hostile: Hostile, fast: mcp_servers.Server
) -> None:
    harmful = ["json_100mb", "many_values", "questions", "tiny_chunks"]
    script.will(together(*((name, {}) for name in harmful), ("fast_tool", {"text": "a"})), says("."))
    tools: Any = [hostile.tool(allowed_tools=harmful), fast.tool()]
    response = bound.responses.create(model=model, input="q", tools=tools)
    results = {item.to_dict()["name"]: item.to_dict() for item in response.output if item.type == "mcp_call"}
    assert results["fast_tool"]["output"] == "fast: a"
    assert [results[name]["status"] for name in harmful] == ["failed"] * 4
