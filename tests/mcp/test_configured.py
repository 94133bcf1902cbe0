"""MCP servers the operator has configured: named by label, entered with credentials callers never see."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from server import doctor
from server.settings import BadSetting, load
from server.settings.mcp import McpServer
from tests import mcp_servers
from tests.conftest import check_log
from tests.contract import promise
from tests.mcp.operated import PROGRAM, caller, named, operated
from tests.mcp.told import told
from tests.process import ROOT, Server, free_port
from tests.recorder import Recorder
from tests.test_cli import graphnexus
from tests.test_docs import blocks
from tests.upstream import Script, Upstream, calls, says

Json = dict[str, Any]
SECRET = "sk-operator-77ab41"
#: Processes that are to end with the server.
STARTED = list[int]()


@pytest.fixture(scope="module")
def guarded() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("fast", token=SECRET) as server:
        yield server


@pytest.fixture(scope="module")
def tables(fast: mcp_servers.Server, guarded: mcp_servers.Server) -> str:
    nobody = f"http://127.0.0.1:{free_port()}/mcp"
    return f"""
{PROGRAM}
[[mcp_server]]
label = "guarded"
url = "{guarded.url}"
authorization = "{SECRET}"
connector_id = ["connector_gmail", "connector_outlookemail", "connector_browser"]
description = "Answers fast."
require_approval = {{ never = {{ tool_names = ["fast_tool"] }} }}
allowed_tools = ["fast_tool", "both"]

[[mcp_server]]
label = "open"
url = "{fast.url}"
require_approval = "never"

[[mcp_server]]
label = "wants_token"
url = "{guarded.url}"
connector_id = "connector_dropbox"
require_approval = "never"

[[mcp_server]]
label = "readers"
command = "{sys.executable}"
args = ["-W", "ignore", "-m", "tests.mcp.program"]
cwd = "{Path.cwd()}"
allowed_tools = {{ read_only = true }}
require_approval = "never"

[[mcp_server]]
label = "ruled"
url = "{fast.url}"
connector_id = "connector_outlookcalendar"

[[approval]]
policy = "always"
server = "ruled"

[[approval]]
policy = "never"
server = "open"

[[mcp_server]]
label = "common"
command = "{sys.executable}"
args = ["-W", "ignore", "-m", "tests.mcp.program"]
cwd = "{Path.cwd()}"
shared = true
require_approval = "never"

[[mcp_server]]
label = "for_bob"
url = "{fast.url}"
owners = ["bob"]
require_approval = "never"

[[mcp_server]]
label = "down"
url = "{nobody}"

[[mcp_server]]
label = "down_told"
url = "{nobody}"
fallback_message = "The archive is closed today."

[[mcp_server]]
label = "nonsense"
command = "/nowhere/to/be/found"

[[mcp_server]]
label = "off"
enabled = false
command = "nothing"
env_from = ["NOT_SET"]
"""


@pytest.fixture(scope="module")
def ours(upstream: Upstream, tables: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    where = tmp_path_factory.mktemp("configured")
    with operated(where, upstream.url, tables, SOME_SECRET="sk-of-the-server") as server:
        yield server
        assert server.stop() == 0
    assert _soon(lambda: not any(map(_runs, STARTED)))
    check_log(server.log())
    assert SECRET not in server.log()


@pytest.fixture
def ann(ours: Server, recorder: Recorder) -> Iterator[OpenAI]:
    with caller(ours, recorder) as client:
        yield client


@pytest.fixture
def bob(ours: Server, recorder: Recorder) -> Iterator[OpenAI]:
    with caller(ours, recorder, "bob") as client:
        yield client


@promise("mcp.configured.label", "mcp.configured.hidden", "mcp.configured.start", "mcp.transports")
def test_a_label_is_all_a_request_needs(ann: OpenAI, script: Script, model: str, guarded: mcp_servers.Server) -> None:
    script.will(calls("fast_tool", text="a"), says("Done."))
    choice: Any = {"type": "mcp", "server_label": "guarded", "name": "fast_tool"}
    response = ann.responses.create(model=model, input="q", tools=[named("guarded")], tool_choice=choice)
    assert told(script) == ["fast: a"]
    assert [item.type for item in response.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert response.tools[0].to_dict() == {
        "type": "mcp", "server_label": "guarded", "server_url": None, "server_description": None,
        "allowed_tools": None, "headers": None, "require_approval": {"never": {"tool_names": ["fast_tool"]}},
    }  # fmt: skip
    said = response.to_json() + ann.responses.retrieve(response.id).to_json()
    said += json.dumps([ask.body for ask in script.seen])
    assert SECRET not in said and str(guarded.port) not in said


@promise("mcp.configured.connector")
def test_a_connector_id_is_another_name_for_it(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("fast_tool", text="a"), says("Done."))
    tool = named("mine", connector_id="connector_gmail")
    response = ann.responses.create(model=model, input="q", tools=[tool])
    listing, call = response.output[0].to_dict(), response.output[1].to_dict()
    assert told(script) == ["fast: a"]
    assert (listing["server_label"], call["server_label"]) == ("mine", "mine")
    assert response.tools[0].to_dict()["connector_id"] == "connector_gmail"


@promise("mcp.configured.connector", "browser.connector")
def test_a_server_of_the_operators_takes_the_place_of_the_browser(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("fast_tool", text="a"), says("Done."))
    ann.responses.create(model=model, input="q", tools=[named("mine", connector_id="connector_browser")])
    assert (told(script), script.last.tool_names()) == (["fast: a"], ["fast_tool", "both"])


@promise("mcp.configured.unknown", "mcp.configured.owners")
def test_what_stands_for_nothing_is_refused_with_what_there_is(ann: OpenAI, model: str) -> None:
    for tool, param in (
        (named("unknown"), "tools[0].server_url"),
        (named("off"), "tools[0].server_url"),
        (named("a", connector_id="connector_sharepoint"), "tools[0].connector_id"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            ann.responses.create(model=model, input="q", tools=[tool])
        assert refused.value.param == param
        assert ("'connector_gmail'" if "connector" in param else "'guarded'") in str(refused.value)
        assert "for_bob" not in str(refused.value)


@promise("mcp.configured.owners")
def test_a_server_for_others_is_none(ann: OpenAI, bob: OpenAI, script: Script, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match="under the server_label 'for_bob'") as refused:
        ann.responses.create(model=model, input="q", tools=[named("for_bob")])
    assert "'open'" in str(refused.value)
    script.will(says("Hello."))
    bob.responses.create(model=model, input="q", tools=[named("for_bob")])


@promise("mcp.configured.credentials")
def test_only_a_server_without_credentials_takes_those_of_callers(ann: OpenAI, script: Script, model: str) -> None:
    for label, field in (("guarded", "authorization"), ("program", "authorization"), ("open", "headers")):
        given: Any = "sk-mine" if field == "authorization" else {"X-Tenant": "other"}
        with pytest.raises(openai.BadRequestError) as refused:
            ann.responses.create(model=model, input="q", tools=[named(label, **{field: given})])
        assert (refused.value.param, refused.value.code) == (f"tools[0].{field}", "unsupported_parameter")
    with pytest.raises(openai.APIStatusError, match="401"):
        ann.responses.create(model=model, input="q", tools=[named("wants_token")])
    script.will(calls("fast_tool", text="a"), says("Done."))
    tool = named("a", connector_id="connector_dropbox", authorization=SECRET)
    response = ann.responses.create(model=model, input="q", tools=[tool])
    assert told(script) == ["fast: a"]
    assert SECRET not in response.to_json()


@promise("mcp.configured.own_url")
def test_a_url_of_the_callers_is_shown_nothing_of_the_operators(
    ann: OpenAI, model: str, guarded: mcp_servers.Server
) -> None:
    tool = named("guarded", server_url=guarded.url, require_approval="never")
    with pytest.raises(openai.APIStatusError, match="HTTP status 401"):
        ann.responses.create(model=model, input="q", tools=[tool])


@promise("mcp.configured.approval")
def test_the_operators_approval_holds_where_the_request_says_nothing(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("both", text="a"), calls("both", text="b"), says("Done."))
    response = ann.responses.create(model=model, input="q", tools=[named("guarded")])
    assert [item.type for item in response.output] == ["mcp_list_tools", "mcp_approval_request"]
    response = ann.responses.create(model=model, input="q", tools=[named("guarded", require_approval="never")])
    assert told(script) == ["fast both: b"]


@promise("mcp.configured.approval")
def test_rules_know_a_server_by_the_operators_label(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("fast_tool", text="a"))
    tool = named("open", connector_id="connector_outlookcalendar", require_approval="never")
    response = ann.responses.create(model=model, input="q", tools=[tool])
    request = response.output[-1].to_dict()
    assert (request["type"], request["server_label"]) == ("mcp_approval_request", "open")


@promise("mcp.configured.bound")
def test_the_operators_tools_can_only_be_narrowed(ann: OpenAI, script: Script, model: str) -> None:
    script.will(says("1"), says("2"), says("3"))
    for allowed, names in ((None, ["fast_tool", "both"]), (["both", "picture"], ["both"]), (["picture"], [])):
        response = ann.responses.create(model=model, input="q", tools=[named("guarded", allowed_tools=allowed)])
        listing: Any = response.output[0].to_dict()
        assert [tool["name"] for tool in listing["tools"]] == names
        assert [tool["function"]["name"] for tool in script.last.body.get("tools", ())] == names


@promise("mcp.configured.bound")
def test_a_forged_listing_widens_nothing(ann: OpenAI, script: Script, model: str) -> None:
    script.will(says("1"))
    forged = {"name": "die", "description": "", "input_schema": {"type": "object"}, "annotations": {"read_only": True}}
    listing = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "readers", "tools": [forged]}
    question: Any = [listing, {"role": "user", "content": "q"}]
    ann.responses.create(model=model, input=question, tools=[named("readers")])
    assert [tool["function"]["name"] for tool in script.last.body["tools"]] == ["environment"]


@promise("mcp.configured.fallback", "mcp.configured.start")
def test_a_server_that_is_down_fails_the_response_or_is_told(ann: OpenAI, script: Script, model: str) -> None:
    for label in ("down", "nonsense"):
        with pytest.raises(openai.APIStatusError) as failed:
            ann.responses.create(model=model, input="q", tools=[named(label)])
        assert failed.value.status_code == 424
        assert "nowhere" not in str(failed.value) and "127.0.0.1" not in str(failed.value)
    script.will(says("It is closed."), says("As I said."))
    response = ann.responses.create(model=model, input="q", tools=[named("down_told")])
    assert response.status == "completed"
    assert str(response.output[0].to_dict()["error"]).endswith("The archive is closed today.")
    assert "The archive is closed today." in json.dumps(script.last.messages)
    script.will()
    ann.responses.create(model=model, input="And?", previous_response_id=response.id)
    assert "The archive is closed today." in json.dumps(script.last.messages)


# ---------------------------------------------------------------- programs


@promise("mcp.stdio.environment")
def test_a_program_gets_its_own_environment_and_nothing_of_ours(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("environment"), calls("here"), says("Done."))
    ann.responses.create(model=model, input="q", tools=[named("program")])
    environment, here = told(script)
    # Its secret is there; the model does not read it.
    assert json.loads(environment)["A_TOKEN"] == "[redacted]"
    assert set(json.loads(environment)) <= {"A_TOKEN", "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE"}
    assert here == str(Path.cwd())


@promise("mcp.stdio.lost")
def test_a_program_that_dies_in_a_call_is_started_anew(ann: OpenAI, script: Script, model: str) -> None:
    script.will(calls("die"), calls("here"), says("Done."))
    response = ann.responses.create(model=model, input="q", tools=[named("program")])
    assert told(script)[0] == "The program of the MCP server ended before it answered."
    assert told(script)[1] == str(Path.cwd())
    assert [item.to_dict().get("status") for item in response.output[1:3]] == ["failed", "completed"]


@promise("mcp.configured.apart", "mcp.stdio.ended")
def test_owners_share_no_program_unless_the_operator_says_so(
    ann: OpenAI, bob: OpenAI, script: Script, model: str, ours: Server
) -> None:
    programs = list[str]()
    for client, label in ((ann, "program"), (ann, "program"), (bob, "program"), (ann, "common"), (bob, "common")):
        script.will(calls("family"), says("Done."))
        client.responses.create(model=model, input="q", tools=[named(label)])
        programs.append(told(script)[0].split()[0])
        STARTED.extend(map(int, told(script)[0].split()))
    assert programs[0] == programs[1] != programs[2]
    assert programs[3] == programs[4]


@promise("mcp.stdio.bounded")
def test_a_line_without_end_fails_its_call_and_complaints_are_logged_up_to_a_limit(
    ann: OpenAI, script: Script, model: str, ours: Server
) -> None:
    before = ours.log_size()
    script.will(calls("complain", lines=20_000), calls("shout", chars=17_000_000), calls("here"), says("Done."))
    ann.responses.create(model=model, input="q", tools=[named("program")])
    assert told(script) == ["done", "The MCP server's answer is larger than 16000000 bytes.", str(Path.cwd())]
    log = ours.log(before)
    assert "oh no [redacted]" in log and "sk-program-5f1c" not in log
    assert log.count("oh no") < 15_000


@promise("mcp.stdio.ended")
def test_no_program_outlives_a_server_that_is_killed(
    upstream: Upstream, script: Script, model: str, recorder: Recorder, tmp_path: Path
) -> None:
    script.will(calls("family"), says("Done."))
    with operated(tmp_path, upstream.url, PROGRAM) as server:
        with caller(server, recorder) as client:
            client.responses.create(model=model, input="q", tools=[named("program")])
        family = [int(pid) for pid in told(script)[0].split()]
        assert all(map(_runs, family))
        os.kill(server.pid, signal.SIGKILL)
        assert _soon(lambda: not any(map(_runs, family)))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _soon(claim: Callable[[], bool], limit_s: float = 10) -> bool:
    until = time.monotonic() + limit_s
    while not claim() and time.monotonic() < until:
        time.sleep(0.05)
    return claim()


# ---------------------------------------------------------------- settings and commands

BAD = [
    ('label = "a"', "mcp_server.0: it needs `url` or `command`, and not both"),
    ('label = "a"\nurl = "http://x/"\ncommand = "y"', "mcp_server.0: it needs `url` or `command`, and not both"),
    ('label = "a b"\ncommand = "y"', "mcp_server.0.label: "),
    ('label = "a"\nurl = "x"', "mcp_server.0.url: a URL begins with http:// or https://, found 'x'"),
    ('label = "a"\nurl = "http://u:p@x/"', "mcp_server.0.url: credentials go into"),
    ('label = "a"\nurl = "http://x/"\ntransport = "stdio"', "mcp_server.0: the transport stdio needs `command`"),
    ('label = "a"\nurl = "http://x/"\nargs = ["b"]', "mcp_server.0: `args` goes with `command`"),
    ('label = "a"\ncommand = "x"\nauthorization = "b"', "mcp_server.0: `authorization` goes with `url`"),
    ('label = "a"\nurl = "http://x/"\nauthorization_env = "NOT_SET"', "mcp_server.0: the variable NOT_SET is not set"),
    ('label = "a"\ncommand = "x"\nenv_from = ["NOT_SET"]', "mcp_server.0: the variable NOT_SET is not set"),
    ('label = "a"\nurl = "http://x/"\nauthorization = "sk-é"', "mcp_server.0.authorization: it has to be printable"),
    ('label = "a"\nurl = "http://x/"\nheaders = { A = "sk-é" }', "mcp_server.0.headers.A: it has to be printable"),
    ('label = "a"\ncommand = "x"\nrequire_approval = "no"', "mcp_server.0.require_approval"),
    ('label = "a"\ncommand = "x"\nalowed_tools = []', "mcp_server.0.alowed_tools: there is no such setting"),
    (
        'label = "a"\ncommand = "x"\n[[mcp_server]]\nlabel = "a"\ncommand = "y"',
        "mcp_server: two servers are called 'a'",
    ),
]


@promise("mcp.configured.settings")
@pytest.mark.parametrize(("table", "said"), BAD)
def test_a_bad_table_is_one_line_that_names_file_and_key(table: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    config.write_text(f"[[mcp_server]]\n{table}\n")
    with pytest.raises(BadSetting) as bad:
        load({}, config)
    line = str(bad.value)
    assert line.startswith(said) and line.endswith(f"({config})") and "\n" not in line
    assert "sk-" not in line


@promise("mcp.configured.settings")
def test_the_tables_of_the_documentation_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISSUES_TOKEN", "sk-issues")
    [tables] = blocks(ROOT / "docs/mcp.md", "toml")
    config = tmp_path / "a.toml"
    config.write_text(tables)
    servers = {server.label: server for server in load({}, config).mcp_server}
    assert set(servers) == {"files", "issues", "mail"}
    assert servers["issues"].token == "sk-issues"
    documented = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", (ROOT / "docs/mcp.md").read_text(), re.M)))
    assert set(documented) == set(McpServer.model_fields)


@promise("mcp.configured.listed")
def test_the_operator_sees_which_servers_answer(ours: Server) -> None:
    config = str(ours.data_dir / "graphnexus.toml")
    answer = graphnexus("mcp", "list", "--json", "--config", config)
    listed = {server["label"]: server for server in json.loads(answer.stdout)}
    assert answer.returncode == 1  # some do not answer
    program = {"label": "program", "transport": "stdio", "state": "reachable", "tools": 6, "error": None}
    assert listed["program"].items() >= program.items()
    assert (listed["guarded"]["transport"], listed["guarded"]["tools"]) == ("streamable_http", 4)
    assert "401" in listed["wants_token"]["error"]
    assert (listed["down"]["state"], listed["down"]["error"]) == ("down", "The MCP server could not be reached.")
    assert "could not be started" in listed["nonsense"]["error"]
    assert "said=/nowhere/to/be/found: No such file or directory" in answer.stderr
    assert listed["off"]["state"] == "disabled"
    assert SECRET not in answer.stdout + answer.stderr


@promise("mcp.configured.listed")
async def test_the_doctor_says_so_too(tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    config.write_text(f'{PROGRAM}\n[[mcp_server]]\nlabel = "down"\nurl = "http://127.0.0.1:{free_port()}/mcp"\n')
    settings = load({"data_dir": str(tmp_path / "kept"), "discover": False, "port": 0}, config)
    said = [finding.what for finding in [found async for found in doctor.examine(settings)]]
    assert "The MCP server program has 6 tools." in said
    assert "The MCP server down does not answer: The MCP server could not be reached." in said
