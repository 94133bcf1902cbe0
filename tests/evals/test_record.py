"""Recordings without secrets: what is taken out, what stays equal, and what a filter and a file may say."""

import base64
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI

from evals.command import main
from evals.recording import cases
from evals.recording.chain import chained, chains, recordings_of
from evals.recording.filters import query_of
from evals.recording.redaction import Redactor
from evals.suite.schema import Case
from evals.unfit import Unfit
from tests import mcp_servers
from tests.contract import promise
from tests.evals.stored_runs import lines
from tests.process import Server
from tests.upstream import Script, calls, says

Json = dict[str, Any]
KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12"


def cleaned(value: Any, *own: str, emails: bool = False) -> Any:
    redactor = Redactor(own, emails)
    redactor.learn(value)
    return redactor.clean({"value": value})["value"]


# ---------------------------------------------------------------- secrets


@promise("record.secrets")
@pytest.mark.parametrize(
    ("said", "secret"),
    [
        (f"My key is {KEY}, keep it.", KEY),
        ("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9),
        ("use AKIAIOSFODNN7EXAMPLE now", "AKIAIOSFODNN7EXAMPLE"),
        ("xoxb-1234567890-abcdefGHIJ", "xoxb-1234567890-abcdefGHIJ"),
        ("AIza" + "x9" * 17 + "z", "AIza" + "x9" * 17 + "z"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "eyJzdWIiOiIxMjM0NTY3ODkwIn0"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("Authorization: Bearer abcDEF123456ghi", "abcDEF123456ghi"),
        ("password=hunter22 please", "hunter22"),
        ('{"user": "ann", "password": "open sesame"}', "open sesame"),
        ("export OPENAI_API_KEY=abcdef0123456789", "abcdef0123456789"),
        ("client_secret: 's3cr3t-v4lue'", "s3cr3t-v4lue"),
        ("postgres://ann:pass-of-ann@db/main", "pass-of-ann"),
        ("https://files.example/a.pdf?X-Amz-Signature=00ff11ee&page=2", "00ff11ee"),
        ("https://x.blob.example/a?sv=1&sig=abc%2Fdef%3D", "abc%2Fdef%3D"),
        ("AccountName=a;AccountKey=" + "Ab3/" * 10 + "==", "Ab3/" * 10),
        ("Set-Cookie: session=abcdef; Path=/", "abcdef"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_taken_out(said: str, secret: str) -> None:
    clean = cleaned({"output": said})["output"]
    assert secret not in clean and "REDACTED-" in clean


@promise("record.secrets")
@pytest.mark.parametrize(
    "said",
    [
        "The password is required, and so is a token.",
        "basic authentication and bearer tokens",
        "sk-learn and task-management, ghp_ and AKIA alone",
        "https://example.com/search?q=signature&page=2#key",
        "mailto:ann@example.com",
        "max_output_tokens=4096, token count: 12",
        '{"input_tokens": 12, "token_count": "7", "properties": {"password": {"type": "string"}}}',
        "commit 3f786850e387550fdab836ed7e6dc881de23001b, id 123e4567-e89b-12d3-a456-426614174000",
        "data:image/png;base64," + mcp_servers.PIXEL,
    ],
)
def test_what_is_no_secret_stays(said: str) -> None:
    assert cleaned(said) == said


@promise("record.secrets")
def test_one_secret_is_one_placeholder_wherever_it_stands() -> None:
    call = {"name": "login", "arguments": json.dumps({"password": "open sesame 1", "user": "ann"})}
    reply = "Ann may come in with open sesame 1."
    clean = cleaned([{"call": call, "reply": reply}, {"reply": reply}, {"reply": f"other {KEY}"}])
    placeholder = json.loads(clean[0]["call"]["arguments"])["password"]
    assert placeholder.startswith("REDACTED-")
    assert clean[0]["reply"] == clean[1]["reply"] == f"Ann may come in with {placeholder}."
    assert clean[2]["reply"] != f"other {placeholder}"


@promise("record.secrets")
def test_doors_of_servers_and_fields_named_for_secrets_are_closed() -> None:
    tool = {"type": "mcp", "server_url": "https://ann:pw@mcp.example/mcp?api_key=abcdefgh", "authorization": "tok",
            "headers": {"x-key": "header"}}  # fmt: skip
    file = "data:text/plain;base64," + base64.b64encode(f"KEY={KEY}".encode()).decode()
    clean = cleaned({"tools": [tool], "env": {"apiKey": "v1", "MY_TOKEN": "v2", "x-api-key": "v3"}, "file": file})
    assert set(clean["tools"][0]) == {"type", "server_url"}
    assert "ann" not in str(clean) and "abcdefgh" not in str(clean)
    assert all(value.startswith("REDACTED-") for value in clean["env"].values())
    assert KEY not in base64.b64decode(clean["file"].partition(",")[2]).decode()


@promise("record.secrets")
def test_users_say_what_else_is_a_secret() -> None:
    said = "Customer 4711 (ann@example.com) of order 99, case=AB-1"
    assert cleaned(said, r"Customer (\d+)", r"AB-\d", emails=True) == (
        "Customer REDACTED-own-1 (REDACTED-email-1) of order 99, case=REDACTED-own-2"
    )
    with pytest.raises(Unfit, match=r"--redact '\(': no regular expression"):
        Redactor(["("])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([KEY, f"is {KEY}", f"password={KEY}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@promise("record.secrets")
@settings(max_examples=60, deadline=None)
@given(_JSON)
def test_no_shape_of_json_hides_a_key_and_once_is_enough(value: Any) -> None:
    clean = cleaned(value)
    assert KEY not in json.dumps(clean)
    assert cleaned(clean) == clean


@promise("record.secrets", "record.cases")
def test_a_recorded_run_has_no_secret_and_is_replayed_as_it_was(
    client: OpenAI, server: Server, script: Script, model: str, tmp_path: Path
) -> None:
    """The secret was in the question, in the call and in the reply: in the recording they are equal, too."""
    out = tmp_path / "deep" / "runs.jsonl"
    script.will(calls("fast_tool", text=KEY), says(f"It said {KEY}."))
    with mcp_servers.serve("fast") as fast:
        tool: Any = {**fast.tool(), "authorization": "tok-very-secret"}
        client.responses.create(model=model, input=f"Use {KEY}.", tools=[tool], metadata={"of": model})
    line = ["--filter", f"metadata.of={model},tool=mcp_call,status=completed", "--url", server.url]
    assert status("record", "--out", str(out), *line) == 0
    (case,) = lines(out)
    assert KEY not in out.read_text() and "very-secret" not in out.read_text()
    call = next(entry for entry in case["recording"]["output"] if "call" in entry)
    placeholder = json.loads(call["call"]["arguments"])["text"]
    assert call["reply"] == f"fast: {placeholder}"
    assert case["recording"]["input"][0]["item"]["content"][0]["text"] == f"Use {placeholder}."
    assert Case.model_validate(case).recording, "a case of a suite"
    script.will(calls("fast_tool", text=placeholder), says(f"It said {placeholder}."))
    assert status("replay", str(out), "--url", server.url) == 0


@promise("record.secrets")
@pytest.mark.parametrize("piece", ["a", "a.b-", "token=&", "token=a", "secret is ", "-----BEGIN PRIVATE KEY-----",
                                   "eyJabcdefghi.", "https://a:", "a@b.", '{"a":', "&sig=", "Bearer "])  # fmt: skip
def test_no_text_makes_looking_for_secrets_slow(piece: str) -> None:
    """Patterns that begin anew at every place would take minutes."""
    text, redactor = piece * (60_000 // len(piece)), Redactor((), emails=True)
    begun = time.process_time()
    redactor.learn(text)
    assert time.process_time() - begun < 0.5


def status(*line: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*line])
    return int(str(ended.value.code or 0))


# ---------------------------------------------------------------- chains


def recording(id: str, at: int, parent: str | None = None, conversation: str | None = None, **more: Any) -> Json:
    about = {"id": id, "created_at": at, "previous_response_id": parent,
             "conversation": {"id": conversation} if conversation else None}  # fmt: skip
    return {"response": about, "history": [], "input": [f"q {id}"], "output": [f"a {id}"], **more}


def ids(found: list[list[Json]]) -> list[list[str]]:
    return [[one["response"]["id"] for one in chain] for chain in found]


@promise("record.chains")
def test_responses_that_go_on_with_one_another_are_joined() -> None:
    family = [
        recording("child", 1, "root"),  # made within the second of its parent
        recording("root", 1),
        recording("branch", 3, "root"),
        recording("grandchild", 4, "child"),
        recording("said", 2, conversation="conv"),
        recording("said-later", 5, conversation="conv"),
        recording("stranger", 6, "not recorded"),
    ]
    assert sorted(ids(chains(family))) == [
        ["branch"], ["root", "child", "grandchild"], ["said", "said-later"], ["stranger"],
    ]  # fmt: skip


@promise("record.chains")
def test_a_chain_gives_its_recordings_whole() -> None:
    first = recording("a", 1)
    second = recording("b", 2, "a", history=["q a", "a a"])
    otherwise = recording("c", 3, "b", history=["compacted"])
    chain = chained([first, second, otherwise])
    assert [sorted(set(one) & {"history"}) for one in chain["recordings"]] == [["history"], [], ["history"]]
    assert recordings_of(chain) == [first, second, otherwise]
    assert recordings_of(chained([first])) == [first]


# ---------------------------------------------------------------- what a line and a file may say

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@promise("record.cases")
def test_a_filter_is_the_query_of_a_list() -> None:
    asked = query_of(["model=a,b,status=completed", "tool=mcp_call,since=2d,metadata.team=x=y"], NOW)
    assert asked == {"model": "a,b", "status": "completed", "tool": "mcp_call", "created_after": "1795262400",
                     "metadata[team]": "x=y"}  # fmt: skip
    assert query_of(["since=2026-11-23,until=2026-11-23T13:00+01:00"], NOW) == {
        "created_after": "1795392000", "created_before": "1795435200",
    }  # fmt: skip


@promise("record.checked")
@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ("odd=1", "there is no filter 'odd'"),
        ("model", "expected model="),
        ("metadata.=1", "there is no filter 'metadata.'"),
        ("since=soon", "expected an age (30m, 24h, 7d)"),
        ("model=a,model=b", "model is there twice"),
    ],
)
def test_a_filter_that_is_none_says_what_is_one(
    filter: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("record", "--filter", filter, "--out", str(tmp_path / "x.jsonl")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("graphnexus eval: --filter") and message in line


@promise("record.checked")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no cases"),
        ('{"id": "a"}', "x.jsonl:1: recording: Field required"),
        ('\n{"id": "a", "recording": {}}', "x.jsonl:2: recording.history is missing"),
        ('{"id": "a", "recording": {"recordings": [1]}}', "x.jsonl:1: recording.recordings[0].history is missing"),
        ("[1]", "x.jsonl:1: the line: Input should be"),
        ("{", "x.jsonl:1: no JSON"),
    ],
)
def test_a_file_that_holds_no_recordings_names_its_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(text)
    assert status("replay", str(file)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@promise("record.checked")
def test_nothing_is_written_where_nothing_is_found_or_nobody_answers(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.jsonl"
    assert status("record", "--filter", "metadata.of=nobody", "--out", str(out), "--url", server.url) == 2
    assert status("record", "--out", str(out), "--url", "http://user:pw@127.0.0.1:9/v1") == 2
    assert status("record", "--filter", "status=odd", "--out", str(out), "--url", server.url) == 2
    nothing, nobody, odd = capsys.readouterr().err.splitlines()
    assert "No stored response fits" in nothing
    assert "http://127.0.0.1:9/v1 cannot be reached" in nobody and "pw" not in nobody
    assert "answers 400" in odd
    assert not out.exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    cases.write(out, [{"id": "a"}])
    with pytest.raises(TypeError):
        cases.write(out, [{"id": "b"}, {"id": object()}])
    assert out.read_text() == '{"id": "a"}\n' and [*tmp_path.iterdir()] == [out]
