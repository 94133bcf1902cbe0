"""Cases asked of a real server: what they need is there, their turns hang together, and nothing is left behind."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from evals.solving.target import Attempts, opened
from evals.suite.schema import Case, Target
from evals.transcript import Transcript
from tests.contract import promise
from tests.mcp_servers import PIXEL
from tests.process import Server, free_port, nursery
from tests.told import eventually
from tests.upstream import Script, calls, says, together

Json = dict[str, Any]
PROGRAM = ["{python}", "-m", "tests.mcp_servers", "{port}", "fast", ""]
_runs = iter(range(1_000_000))


@pytest.fixture
async def target(server: Server, log_watch: None, model: str, tmp_path: Path) -> AsyncIterator[Attempts]:
    async with opened(Target(url=server.url, model=model), str(tmp_path)) as target:
        yield target


def case(*turns: Any, **fields: Any) -> Case:
    return Case(id="one", turns=[turn if isinstance(turn, dict) else {"input": turn} for turn in turns], **fields)


async def asked(target: Attempts, *turns: Any, **fields: Any) -> Transcript:
    made = await target.attempt(case(*turns, **fields), f"run {next(_runs)} of {target.model}", 1)
    assert made.fault is None
    return made


def told(script: Script) -> list[list[tuple[str, Any]]]:
    """Roles and texts of the messages of every question."""
    return [[(one["role"], one.get("content")) for one in ask.messages] for ask in script.seen]


HELD = [[("user", "a")], [("user", "a"), ("assistant", "A"), ("user", "b")]]
WAYS: list[Json] = [
    {},
    {"request": {"stream": True}},
    {"state": "conversation"},
    {"request": {"store": False, "stream": True}},
    {"request": {"background": True}},
]


@promise("solving.turns")
@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_turns_hang_together_whichever_way_they_are_asked(target: Attempts, script: Script, way: Json) -> None:
    script.will(says("A"), says("B"))
    made = await asked(target, "a", "b", **way)
    assert [turn.text for turn in made.turns] == ["A", "B"]
    assert told(script) == HELD
    assert (made.usage.output, made.text) == (2, "B")
    streamed = bool(way.get("request", {}).get("stream"))
    for turn in made.turns:
        assert turn.misnumbered == 0
        assert ([*turn.events[:1], *turn.events[-1:]] == ["response.created", "response.completed"]) is streamed
        assert (turn.first_text_s is not None) is streamed
        assert turn.responses[0]["status"] == "completed"


@promise("solving.turns")
async def test_turns_without_state_know_their_own_calls_alone(target: Attempts, script: Script) -> None:
    script.will(says("A"), calls("ask", {}), says("C"))
    tools = [{"type": "function", "name": "ask", "parameters": {"type": "object", "properties": {}}}]
    made = await asked(target, "a", "b", state="none", answers={"ask": "yes"}, request={"tools": tools})
    assert [turn.text for turn in made.turns] == ["A", "C"]
    assert [[role for role, _ in messages] for messages in told(script)] == [
        ["user"],
        ["user"],
        ["user", "assistant", "tool"],
    ]


@promise("solving.turns")
async def test_fields_of_a_turn_go_over_those_of_the_case(target: Attempts, script: Script) -> None:
    script.will(says("A"), says("B"))
    await asked(
        target, {"input": "a", "request": {"temperature": 1}}, "b", request={"temperature": 0, "instructions": "Hm."}
    )
    assert [ask.body["temperature"] for ask in script.seen] == [1, 0]
    assert [messages[0][1] for messages in told(script)] == ["Hm.", "Hm."]


@promise("solving.asks")
async def test_functions_are_answered_by_name_by_arguments_or_one_after_another(
    target: Attempts, script: Script
) -> None:
    names = ("always", "turns", "fits")
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in names]
    script.will(
        together(("always", {"x": 1}), ("turns", {}), ("fits", {"b": 2, "a": 1})),
        together(("turns", {}), ("fits", {"a": 3}), ("turns", {})),
        says("Enough."),
    )
    answers: Json = {
        "always": "same",
        "turns": ["first", "second"],
        "fits": {'{"a": 1, "b": 2}': {"deep": "yes"}, "*": "else"},
    }
    made = await asked(target, "go", answers=answers, request={"tools": tools})
    assert [one[1] for one in told(script)[-1] if one[0] == "tool"] == [
        "same", "first", '{"deep": "yes"}', "second", "else", "second",
    ]  # fmt: skip
    assert len(made.turns[0].responses) == 3
    assert [one.get("type", "message") for one in made.turns[0].input].count("function_call_output") == 6
    script.will(together(("always", {}), ("other", {})))
    left = await asked(target, "go", answers=answers, request={"tools": [*tools, {**tools[0], "name": "other"}]})
    assert (len(left.turns[0].responses), left.text, left.turns[0].error) == (1, "", None)


@promise("solving.asks")
async def test_tools_of_the_clients_machine_are_answered_by_their_names(target: Attempts, script: Script) -> None:
    pixel = f"data:image/png;base64,{PIXEL}"
    patch = {"type": "delete_file", "path": "a.py"}
    script.will(
        calls("shell", {"commands": ["ls", "pwd"]}),
        calls("apply_patch", patch),
        calls("computer", {"actions": [{"type": "screenshot"}]}),
        says("Done."),
    )
    answers: Json = {
        "shell": {"ls\npwd": "a.py", "*": "nothing"},
        "apply_patch": {"a.py": {"status": "failed", "output": "It is not there."}},
        "computer": [pixel],
    }
    tools = [{"type": "shell"}, {"type": "apply_patch"}, {"type": "computer"}]
    made = await asked(target, "go", answers=answers, request={"tools": tools})
    assert made.text == "Done.", made.turns[0].error
    assert [one.get("type") for one in made.turns[0].input][1:] == [
        "shell_call_output", "apply_patch_call_output", "computer_call_output",
    ]  # fmt: skip
    said = str(told(script)[-1])
    assert "a.py" in said
    assert "It is not there." in said
    assert pixel in said
    script.will(calls("local_shell", {"command": ["ls", "-l"]}), says("Done."))
    await asked(target, "go", answers={"local_shell": {"ls -l": "b.py"}}, request={"tools": [{"type": "local_shell"}]})
    assert "b.py" in str(told(script)[-1])


@promise("solving.asks", "solving.given")
async def test_approvals_are_decided_and_the_server_they_are_about_is_stopped(
    server: Server, model: str, script: Script
) -> None:
    offered = {"label": "fast", "command": PROGRAM, "require_approval": "always"}
    async with opened(Target(url=server.url, model=model), ".") as target:
        script.will(calls("fast_tool", text="a"), calls("picture", {}), says("One of two."))
        decided = {"fast_tool": "approve", "picture": "deny"}
        made = await asked(target, "go", mcp_servers=[offered], approvals=decided)
        assert [item["type"] for item in made.items if item["type"] != "mcp_list_tools"] == [
            "mcp_approval_request", "mcp_call", "mcp_approval_request", "message",
        ]  # fmt: skip
        assert [item["output"] for item in made.items if item["type"] == "mcp_call"] == ["fast: a"]
        url = next(tool["server_url"] for tool in made.turns[0].responses[0]["tools"])
        script.will(calls("fast_tool", text="a"))
        left = await asked(target, "go", mcp_servers=[offered | {"allowed_tools": ["fast_tool"]}])
        assert [item["type"] for item in left.items][-1] == "mcp_approval_request"
        assert left.turns[0].responses[0]["tools"][0]["server_url"].rpartition("/")[0] == url.rpartition("/")[0]
        assert httpx2.get(url.replace("/mcp", "/counts")).status_code == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


@promise("solving.given")
async def test_files_and_stores_are_made_once_and_gone_when_the_run_is_done(
    server: Server, model: str, script: Script, http: httpx2.Client, tmp_path: Path
) -> None:
    (tmp_path / "apples.txt").write_text("Apples are red.")
    files = [{"path": "apples.txt"}, {"content": "Pears are green.", "name": "pears.txt", "use": "vector_store"}]
    script.will(calls("file_search", {"queries": ["pears"]}), says("Green."), says("Red."), says("Red."))
    async with opened(Target(url=server.url, model=model), str(tmp_path)) as target:
        made = await asked(target, "What colour?", "And?", files=files, state="conversation")
        assert "Apples are red." in str(told(script)[0])
        assert "Pears are green." in str(told(script)[1])
        part, _ = made.turns[0].input[0]["content"]
        assert made.turns[1].input[0]["content"] == "And?"
        response = made.turns[0].responses[0]
        assert http.get(f"/conversations/{response['conversation']['id']}").status_code == 404
        few = {"tools": [{"type": "file_search", "max_num_results": 3}]}
        again = (await asked(target, "What colour?", files=files, request=few)).turns[0]
        assert again.input[0]["content"][0] == part
        searched = [(tool["max_num_results"], tool["vector_store_ids"]) for tool in again.responses[0]["tools"]]
        store = response["tools"][0]["vector_store_ids"][0]
        assert searched == [(3, [store])]
        paths = [f"/files/{part['file_id']}", f"/vector_stores/{store}"]
        assert [http.get(path).status_code for path in paths] == [200, 200]
    assert [http.get(path).status_code for path in paths] == [404, 404]


@promise("solving.given")
async def test_a_server_that_wants_a_token_is_told_it_and_nobody_else(
    target: Attempts, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = {"label": "fast", "command": [*PROGRAM[:-1], "tok-en-4711"], "authorization_env": "TOKEN_OF_FAST"}
    unset = await target.attempt(case("go", mcp_servers=[offered]), "unset", 1)
    assert unset.fault == "An MCP server of the case wants a token in the variable TOKEN_OF_FAST, which is not set."
    monkeypatch.setenv("TOKEN_OF_FAST", "tok-en-4711")
    script.will(calls("fast_tool", text="a"), says("Done."))
    made = await asked(target, "go", mcp_servers=[offered])
    assert [item["output"] for item in made.items if item["type"] == "mcp_call"] == ["fast: a"]
    assert "tok-en-4711" not in made.model_dump_json()


@promise("solving.given")
async def test_a_run_that_is_killed_leaves_no_server_running(tmp_path: Path) -> None:
    line = ["tests.evals.started", "{python}", "-m", "http.server", "{port}", "--bind", "127.0.0.1"]
    printed = tmp_path / "url"
    printed.touch()
    run = nursery().start(line, os.environ, printed)
    url = eventually(lambda: printed.read_text().split()[0], IndexError)
    assert httpx2.get(url).status_code == 404
    run.kill()
    run.wait(5)
    assert await _stops(url)


@promise("solving.joined")
async def test_an_attempt_asked_again_joins_what_was_made(target: Attempts, script: Script) -> None:
    script.will(calls("ask", {}), says("A"), says("B"), calls("ask", {}), says("A"), says("B"))
    tools = [{"type": "function", "name": "ask", "parameters": {"type": "object"}}]
    one = case("a", "a", state="none", answers={"ask": "yes"}, request={"tools": tools})
    first, again, other = [await target.attempt(one, "the run", epoch) for epoch in (1, 1, 2)]

    def ids(made: Transcript) -> list[str]:
        assert made.fault is None
        return [response["id"] for turn in made.turns for response in turn.responses]

    assert ids(first) == ids(again)
    assert not set(ids(first)) & set(ids(other))
    assert len(script.seen) == 6


@promise("solving.refused")
async def test_what_a_server_refuses_is_in_the_transcript_and_the_case_goes_on(
    target: Attempts, script: Script
) -> None:
    script.will(says("A"), says("C"))
    made = await asked(
        target, "a", {"input": "b", "request": {"temperature": 7}}, {"input": "c", "request": {"stream": True}}
    )
    error = made.turns[1].error
    assert error
    assert (error["status"], error["type"], error["param"]) == (400, "invalid_request_error", "temperature")
    assert [turn.text for turn in made.turns] == ["A", "", "C"]
    assert [messages[-1][1] for messages in told(script)] == ["a", "c"]


@promise("solving.faults")
@pytest.mark.parametrize("request_", [{"background": True}, {"stream": True}], ids=str)
async def test_a_case_that_takes_too_long_leaves_no_response_that_goes_on(
    target: Attempts, script: Script, http: httpx2.Client, request_: Json
) -> None:
    script.will(says("a b c").stalls(1))
    made = await target.attempt(case("a", request=request_, timeout_s=2), f"slow {target.model}", 1)
    assert made.fault == "The case took longer than 2 s."
    await asyncio.to_thread(script.last.left.wait, 5)
    assert script.last.left.is_set()
    kept = http.get("/responses", params={"model": target.model or "", "limit": 5}).json()["data"]
    assert kept == []


@promise("solving.faults")
async def test_servers_that_are_away_or_speak_of_something_else_are_faults(server: Server, model: str) -> None:
    async with opened(Target(url=f"http://127.0.0.1:{free_port()}/v1", model="m"), ".") as away:
        fault = (await away.attempt(case("a"), "run", 1)).fault or ""
    assert fault.startswith("The server cannot be reached: ")
    async with _pages() as url, opened(Target(url=url, model="m"), ".") as foreign:
        fault = (await foreign.attempt(case("a"), "run", 1)).fault or ""
    assert fault == "The server answered with something that is no response: '<p>Welcome!</p>'."
    async with opened(Target(url=server.url, model=model), ".") as target:
        for command, problem in ((["no-such-program"], "cannot be started"), (["false"], "ended with status 1")):
            given = case("a", mcp_servers=[{"label": "x", "command": command}])
            assert problem in ((await target.attempt(given, "run", 1)).fault or "")
        missing = case("a", files=[{"path": "missing.txt"}])
        assert "missing.txt of the suite cannot be read" in ((await target.attempt(missing, "run", 1)).fault or "")


@promise("solving.faults")
async def test_a_key_that_a_server_repeats_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_A_TEST", "tok-en-4711")
    async with _pages() as url, opened(Target(url=url, model="m", api_key_env="KEY_OF_A_TEST"), ".") as foreign:
        error = (await foreign.attempt(case("a"), "run", 1)).turns[0].error
    assert error
    assert (error["status"], error["message"]) == (401, "Wrong: Bearer …")


@promise("solving.recorded")
async def test_path_state_and_repairs_are_told_to_graders_that_look_at_them(target: Attempts, script: Script) -> None:
    script.will(says("A"), says("B"), says("A"))
    grader = {"type": "node_path", "nodes": []}
    made = await asked(target, "a", {"input": "b", "graders": [grader]})
    assert made.path
    assert made.path.count("call_model") == 2
    assert made.repairs == 0
    assert made.state
    assert made.state["response"]["id"] == made.turns[1].responses[0]["id"]
    unwanted = await asked(target, "a")
    assert (unwanted.path, unwanted.state, unwanted.repairs) == (None, None, None)


async def _stops(url: str, limit_s: float = 5) -> bool:
    async with asyncio.timeout(limit_s):
        while True:
            try:
                httpx2.get(url)
            except httpx2.ConnectError:
                return True
            await asyncio.sleep(0.02)


class _Page(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["authorization"]
        status, said = (
            (401, json.dumps({"error": {"message": f"Wrong: {key}"}})) if "tok-en" in key else (200, "<p>Welcome!</p>")
        )
        self.send_response(status)
        self.send_header("content-type", "text/html" if status == 200 else "application/json")
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, format: str, *args: object) -> None: ...


@asynccontextmanager
async def _pages() -> AsyncIterator[str]:
    """A server that knows nothing of responses."""
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
