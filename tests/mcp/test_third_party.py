"""MCP servers other people wrote, each as its users run it, over every transport."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.clients.running import HERE, MODULES
from tests.conftest import check_log
from tests.contract import promise
from tests.mcp.operated import caller, named, operated
from tests.mcp.told import told
from tests.process import ROOT, Server, free_port
from tests.recorder import Recorder
from tests.told import eventually
from tests.upstream import Ask, Script, Step, Upstream, calls, says, together

Json = dict[str, Any]
NODE = shutil.which("node") or "node"
EVERYTHING = MODULES / "@modelcontextprotocol/server-everything/dist/index.js"
FILESYSTEM = MODULES / "@modelcontextprotocol/server-filesystem/dist/index.js"
PYTHON_SERVERS = ROOT / ".venv-mcp/bin"
#: The first bytes of every PNG.
PNG = base64.b64encode(b"\x89PNG").decode()[:4]

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and EVERYTHING.is_file() and (PYTHON_SERVERS / "mcp-server-git").is_file()),
    reason="node is missing, or what `make test` installs: tests/clients/node_modules and .venv-mcp",
)


class Everything:
    """server-everything over HTTP, as a process that can be killed and started again on its port."""

    def __init__(self, transport: str, said: Path) -> None:
        self.transport = transport
        self.said = said
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{'sse' if self.transport == 'sse' else 'mcp'}"

    def start(self) -> None:
        preloads = [f"--import={file}" for file in (HERE / "loopback.mjs", ROOT / "tests/mcp/finished.mjs")]
        line = [NODE, *preloads, str(EVERYTHING), self.transport]
        environment = {"PATH": os.environ["PATH"], "PORT": str(self.port)}
        quiet = subprocess.DEVNULL
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(line, env=environment, stdin=quiet, stdout=quiet, stderr=said)
        until = time.monotonic() + 20
        while not self._listens():
            assert self.process.poll() is None and time.monotonic() < until
            time.sleep(0.02)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def taken(self) -> int:
        """How many messages it has taken, and said so."""
        return self.said.read_bytes().splitlines().count(b"finished")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def http_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    server = Everything("streamableHttp", tmp_path_factory.mktemp("said") / "http.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def sse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    server = Everything("sse", tmp_path_factory.mktemp("said") / "sse.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a Git repository."""
    place = tmp_path_factory.mktemp("place").resolve()
    (place / "here.txt").write_text("There you are.")
    for line in ("init -q -b main", "add here.txt", "-c user.name=a -c user.email=a@b commit -q -m First"):
        subprocess.run(["git", *line.split()], cwd=place, check=True)
    return place


@pytest.fixture(scope="module")
def ours(
    upstream: Upstream,
    http_server: Everything,
    sse_server: Everything,
    place: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    servers = {
        "over_stdio": f'command = "{NODE}"\nargs = ["{EVERYTHING}", "stdio"]',
        "over_http": f'url = "{http_server.url}"',
        "over_sse": f'url = "{sse_server.url}"\ntransport = "sse"',
        "older": f'url = "{sse_server.url}"',
        "files": f'command = "{NODE}"\nargs = ["{FILESYSTEM}", "{place}"]',
        "time": f'command = "{PYTHON_SERVERS}/mcp-server-time"\nargs = ["--local-timezone", "Europe/Berlin"]',
        "git": f'command = "{PYTHON_SERVERS}/mcp-server-git"\nargs = ["--repository", "{place}"]',
    }
    tables = [
        f'[[mcp_server]]\nlabel = "{label}"\nrequire_approval = "never"\n{table}' for label, table in servers.items()
    ]
    where = tmp_path_factory.mktemp("third-party")
    with operated(where, upstream.url, "\n".join(tables)) as server:
        yield server
        assert server.stop() == 0
    check_log(server.log())


@pytest.fixture
def ann(ours: Server, recorder: Recorder) -> Iterator[OpenAI]:
    with caller(ours, recorder) as client:
        yield client


@promise("mcp.third_party", "mcp.transports")
@pytest.mark.parametrize("label", ["over_stdio", "over_http", "over_sse", "older"])
def test_everything_is_spoken_to_over_every_transport(label: str, ann: OpenAI, script: Script, model: str) -> None:
    both = together(("echo", {"message": "hi"}), ("get-sum", {"a": 19, "b": 23}))
    script.will(both, calls("get-tiny-image"), says("Done."))
    response = ann.responses.create(model=model, input="q", tools=[named(label)])
    kinds = [item.type for item in response.output]
    assert kinds == ["mcp_list_tools", "mcp_call", "mcp_call", "mcp_call", "message"]
    assert told(script)[:2] == ["Echo: hi", "The sum of 19 and 23 is 42."]
    assert f"data:image/png;base64,{PNG}" in json.dumps(script.last.messages)


@promise("mcp.third_party", "stream.order.mcp_list_tools", "stream.order.mcp_call")
def test_the_events_of_a_call_come_in_the_order_of_the_contract(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("echo", message="hi"), says("Done."))
    with ann.responses.create(model=model, input="q", tools=[named("over_http")], stream=True) as stream:
        events: list[Json] = [event.to_dict() for event in stream]
    indexed = [(event["type"].removeprefix("response."), event.get("output_index")) for event in events]
    assert [type for type, _ in indexed[:2]] == ["created", "in_progress"]
    assert indexed[2:12] == [
        ("output_item.added", 0), ("mcp_list_tools.in_progress", 0), ("mcp_list_tools.completed", 0),
        ("output_item.done", 0), ("output_item.added", 1), ("mcp_call.in_progress", 1),
        ("mcp_call_arguments.delta", 1), ("mcp_call_arguments.done", 1), ("mcp_call.completed", 1),
        ("output_item.done", 1),
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added, done = events[6]["item"], events[11]["item"]
    assert (added["arguments"], added["output"], added["error"]) == ("", None, None)
    assert (json.loads(done["arguments"]), done["output"], done["error"]) == ({"message": "hi"}, "Echo: hi", None)
    assert {event["item_id"] for event in events[7:11]} == {added["id"]} == {done["id"]}


@promise("mcp.third_party")
def test_files_are_listed_read_and_written(ann: OpenAI, script: Script, model: str, place: Path) -> None:
    script.will(
        calls("list_directory", path=str(place)),
        calls("read_text_file", path=str(place / "here.txt")),
        calls("write_file", path=str(place / "new.txt"), content="Written."),
        calls("read_text_file", path="/etc/passwd"),
        says("Done."),
    )
    response = ann.responses.create(model=model, input="q", tools=[named("files")])
    listing, text, _, denied = told(script)
    assert "[FILE] here.txt" in listing and text == "There you are."
    assert (place / "new.txt").read_text() == "Written."
    assert "outside allowed directories" in denied
    items: list[Any] = [item.to_dict() for item in response.output]
    assert items[4]["error"]["type"] == "mcp_tool_execution_error"
    read_only = {tool["name"] for tool in items[0]["tools"] if tool["annotations"]["read_only"]}
    assert "read_text_file" in read_only and "write_file" not in read_only


@promise("mcp.third_party")
def test_the_time_is_told(ann: OpenAI, script: Script, model: str) -> None:
    script.will(
        calls("convert_time", source_timezone="Europe/Berlin", time="12:00", target_timezone="Asia/Tokyo"),
        calls("get_current_time", timezone="Nowhere/Land"),
        says("Done."),
    )
    ann.responses.create(model=model, input="q", tools=[named("time")])
    converted, refused = told(script)
    assert re.search(r"T(19|20):00", json.loads(converted)["target"]["datetime"])
    assert "Nowhere/Land" in refused


@promise("mcp.third_party")
def test_a_repository_is_looked_at(ann: OpenAI, script: Script, model: str, place: Path) -> None:
    script.will(calls("git_log", repo_path=str(place)), calls("git_branch", repo_path=str(place), branch_type="local"))
    script.will(says("Done."))
    ann.responses.create(model=model, input="q", tools=[named("git")])
    log, branches = told(script)
    assert "First" in log and "* main" in branches


@promise("mcp.sse.lost")
def test_a_server_that_goes_away_in_a_call_is_told_and_found_again(
    ann: OpenAI, script: Script, model: str, sse_server: Everything
) -> None:
    before = list[int]()

    def call(_ask: Ask) -> Step:
        before.append(sse_server.taken())
        return calls("trigger-long-running-operation", duration=60, steps=2)

    script.will(call, says("It is gone."))
    script.will(calls("echo", message="down"), says("Still gone."), calls("echo", message="back"), says("Done."))
    with ann.responses.stream(model=model, input="q", tools=[named("over_sse")]) as stream:
        for event in stream:
            if event.type == "response.mcp_call_arguments.done":
                eventually(lambda: 1 / (sse_server.taken() - before[0]), ZeroDivisionError)  # else it is not reached
                sse_server.stop()
        response = stream.get_final_response()
    assert told(script) == ["The connection to the MCP server was lost."]
    for start, said in ((False, "The MCP server could not be reached."), (True, "Echo: back")):
        if start:
            sse_server.start()
        last: Any = response.id
        ann.responses.create(model=model, input="q", tools=[named("over_sse")], previous_response_id=last)
        assert told(script)[-1] == said
