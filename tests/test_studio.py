"""LangGraph Studio: `langgraph dev` on our graph and our store, asked over its API and over ours."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from nodes import HOSTED_TOOLS
from tests import mcp_servers
from tests.process import ROOT, free_port
from tests.upstream import Script, Upstream, fails, says, together

Json = dict[str, Any]
START_S = 60.0
GRAPH = "graphnexus"
SECRET = "sk-studio-5d0c77"


class Studio:
    """A `langgraph dev` of our own, in a directory of its own, with nothing outside this machine to be reached."""

    def __init__(self, directory: Path, upstream_url: str) -> None:
        self.port = free_port()
        self.directory = directory
        self.kept = directory / "kept"
        self._log = directory / "studio.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "GRAPHNEXUS_DATA_DIR": str(self.kept),
            "GRAPHNEXUS_UPSTREAM": upstream_url,
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
            "PYTHONPATH": str(ROOT),
            # Whoever asks for the internet is refused.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        langgraph = shutil.which("langgraph", path=Path(sys.executable).parent)
        assert langgraph, "langgraph-cli is a development dependency"
        command = [langgraph, "dev", "--config", str(ROOT / "langgraph.json"), "--no-browser", "--no-reload"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self.directory,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"langgraph dev did not start:\n{self.log()}")
            time.sleep(0.1)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/ok", timeout=1).status_code == 200
        except httpx2.HTTPError:
            return False


@pytest.fixture(scope="module")
def studio(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    dev = Studio(tmp_path_factory.mktemp("studio"), upstream.url)
    try:
        dev.start()
        yield dev
    finally:
        dev.stop()


@pytest.fixture
async def api(studio: Studio) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=studio.url) as client:
        yield client


@pytest.fixture
def http(studio: Studio) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{studio.url}/v1", timeout=30) as plain:
        yield plain


@pytest.fixture(scope="module")
def fast() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("fast", token=SECRET) as server:
        yield server


@pytest.fixture(scope="module")
def slow() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("slow") as server:
        yield server


class Thread:
    """A thread of Studio, and what its runs say."""

    def __init__(self, api: LangGraphClient, id: str, model: str) -> None:
        self.api = api
        self.id = id
        self.model = model

    async def run(self, text: str | None = None, **options: Any) -> list[Json]:
        """Run; gives every update and error."""
        options = {"context": {"model": self.model}, **options}
        asked = None if text is None else {"input": text}
        parts = self.api.runs.stream(self.id, GRAPH, input=asked, stream_mode=["updates"], **options)
        return [{"event": part.event, **part.data} async for part in parts if part.event != "metadata"]

    async def values(self) -> Json:
        state = await self.api.threads.get_state(self.id)
        assert isinstance(state["values"], dict)
        return state["values"]

    async def history(self) -> list[Any]:
        return await self.api.threads.get_history(self.id, limit=50)

    async def checkpoint_before(self, node: str) -> Json:
        """The newest checkpoint after which `node` is next."""
        return next(dict(state["checkpoint"]) for state in await self.history() if list(state["next"])[:1] == [node])


@pytest.fixture
async def thread(api: LangGraphClient, model: str) -> Thread:
    return Thread(api, (await api.threads.create())["thread_id"], model)


def path(updates: list[Json]) -> list[str]:
    """The nodes that ran."""
    return [name for update in updates for name in update if name != "event"]


def said(values: Json) -> list[str]:
    messages = [entry["item"] for entry in values["items"] if entry["item"]["type"] == "message"]
    return [message["content"][0]["text"] for message in messages]


# ---------------------------------------------------------------- what is drawn


async def test_graph_has_a_node_for_each_step_and_names_its_paths(api: LangGraphClient) -> None:
    drawn = await api.assistants.get_graph(GRAPH)
    assert [node["id"] for node in drawn["nodes"]] == [
        "__start__",
        "load",
        "approved",
        "call_model",
        *HOSTED_TOOLS,
        "persist",
        "__end__",
    ]
    paths = {(edge["source"], edge["target"]): edge.get("data") for edge in drawn["edges"]}
    of_tools: dict[tuple[str, str], str] = {}
    for kind in HOSTED_TOOLS:
        of_tools |= {(step, kind): f"call {kind}" for step in ("approved", "call_model")}
        of_tools |= {(kind, "call_model"): "reply", (kind, "persist"): "client's turn"}
    assert paths == {
        **of_tools,
        ("__start__", "load"): None,
        ("load", "call_model"): "ask",
        ("load", "approved"): "approval",
        ("approved", "call_model"): "ask",
        ("call_model", "call_model"): "repair",
        ("call_model", "persist"): "answer",
        ("persist", "__end__"): None,
    }


async def test_schemas_say_what_may_be_given(api: LangGraphClient) -> None:
    (assistant,) = await api.assistants.search(graph_id=GRAPH)
    schemas = await api.assistants.get_schemas(assistant["assistant_id"])
    assert schemas["input_schema"]["properties"].keys() >= {"input", "request"}
    assert schemas["output_schema"]["properties"].keys() >= {"items", "response"}
    assert schemas["context_schema"]["properties"].keys() == {"model", "instructions", "tools"}


# ---------------------------------------------------------------- runs


async def test_plain_input_runs_with_the_first_model_there_is(api: LangGraphClient, upstream: Upstream) -> None:
    first = upstream.on(next(iter(upstream.scripts)))
    first.will(says("Hello."))
    thread = Thread(api, (await api.threads.create())["thread_id"], first.model)
    assert path(await thread.run("Hi", context={})) == ["load", "call_model", "persist"]
    assert said(await thread.values()) == ["Hi", "Hello."]


async def test_two_calls_of_one_turn_are_two_steps_at_once(
    thread: Thread,
    script: Script,
    fast: mcp_servers.Server,
    slow: mcp_servers.Server,
    http: httpx2.Client,
    studio: Studio,
) -> None:
    tools = [slow.tool(), fast.tool(authorization=SECRET)]
    asked = (("slow_tool", {"seconds": 0.8}), ("fast_tool", {"text": "a", "seconds": 0.6}))
    script.will(together(*asked), says("Both answered."))
    updates = await thread.run("Ask both", context={"model": script.model, "tools": tools})
    assert path(updates) == ["load", "call_model", "mcp", "mcp", "call_model", "persist"]
    assert "fast" in str(updates[2]), "the fast one ends first"
    values = await thread.values()
    response = http.get(f"/responses/{values['response']['id']}").json()
    assert response["status"] == "completed"
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["mcp_list_tools", "mcp_list_tools", "mcp_call", "mcp_call", "message"]
    assert [item["output"] for item in response["output"][2:4]] == ["slow: 0.8", "fast: a"]
    steps = [list(state["next"]) for state in reversed(await thread.history())]
    assert steps == [["__start__"], ["load"], ["call_model"], ["mcp", "mcp"], ["call_model"], ["persist"], []]
    kept = b"".join(file.read_bytes() for file in studio.kept.rglob("*") if file.is_file())
    assert SECRET.encode() not in kept


async def test_run_is_streamed_over_the_newer_protocol_too(
    api: LangGraphClient, script: Script, http: httpx2.Client
) -> None:
    script.will(says("Hello."))
    async with api.threads.stream(assistant_id=GRAPH) as stream:
        await stream.run.start(input={"input": "Hi", "request": {"model": script.model}})
        values = await stream.output
    assert said(values) == ["Hi", "Hello."]
    assert http.get(f"/responses/{values['response']['id']}").json()["status"] == "completed"


async def test_thread_goes_on_as_a_chain_of_responses(thread: Thread, script: Script, http: httpx2.Client) -> None:
    script.will(says("One."), says("Two."), says("Three."))
    await thread.run("1")
    first = (await thread.values())["response"]["id"]
    await thread.run("2")
    second = (await thread.values())["response"]["id"]
    assert said(await thread.values()) == ["1", "One.", "2", "Two."]
    assert {state["metadata"].get("response_id") for state in await thread.history()} == {first, second}
    assert http.get(f"/responses/{second}").json()["previous_response_id"] == first
    third = http.post("/responses", json={"model": script.model, "input": "3", "previous_response_id": second})
    assert third.json()["output"][0]["content"][0]["text"] == "Three."
    assert said(await thread.values()) == ["1", "One.", "2", "Two.", "3", "Three."]


async def test_response_made_over_http_is_listed_with_its_steps(
    api: LangGraphClient, script: Script, http: httpx2.Client, slow: mcp_servers.Server
) -> None:
    script.will(together(("slow_tool", {"seconds": 0})), says("Done."), says("More."))
    made = http.post("/responses", json={"model": script.model, "input": "Go", "tools": [slow.tool()]}).json()
    assert made["status"] == "completed", made
    listed = await api.threads.search(metadata={"graph_id": GRAPH}, limit=100)
    threads = [Thread(api, one["thread_id"], script.model) for one in listed]
    found = [one for one in threads if (await one.values()).get("response", {}).get("id") == made["id"]]
    assert len(found) == 1
    steps = [list(state["next"]) for state in reversed(await found[0].history())]
    assert steps == [["__start__"], ["load"], ["call_model"], ["mcp"], ["call_model"], ["persist"], []]
    await found[0].run("And?")
    more = await found[0].values()
    assert more["response"]["previous_response_id"] == made["id"]
    assert said(more) == ["Go", "Done.", "And?", "More."]


# ---------------------------------------------------------------- forks


async def test_edited_state_is_a_fork_of_its_own(thread: Thread, script: Script) -> None:
    script.will(says("One."), says("Two."), says("Other."))
    await thread.run("1")
    end = (await thread.history())[0]["checkpoint"]
    await thread.run("2")
    await thread.run("other", checkpoint=end)
    assert said(await thread.values()) == ["1", "One.", "other", "Other."]
    ends = [said(state["values"]) for state in await thread.history() if not state["next"]]
    assert ends == [["1", "One.", "other", "Other."], ["1", "One.", "2", "Two."], ["1", "One."]]


async def test_run_from_the_middle_is_a_new_response(thread: Thread, script: Script, http: httpx2.Client) -> None:
    script.will(says("Once."), says("Again."))
    await thread.run("Hi")
    old = (await thread.values())["response"]["id"]
    updates = await thread.run(checkpoint=await thread.checkpoint_before("call_model"))
    assert path(updates) == ["call_model", "persist"]
    new = (await thread.values())["response"]["id"]
    assert new != old
    texts = [http.get(f"/responses/{id}").json()["output"][0]["content"][0]["text"] for id in (old, new)]
    assert texts == ["Once.", "Again."]


async def test_input_is_edited_and_run_again(thread: Thread, script: Script) -> None:
    script.will(says("Blue."), says("Green."))
    await thread.run("The sky?")
    before = await thread.checkpoint_before("load")
    fork = await thread.api.threads.update_state(
        thread.id, {"input": "The meadow?"}, as_node="__start__", checkpoint=before
    )
    updates = await thread.run(checkpoint=fork["checkpoint"])
    assert path(updates) == ["load", "call_model", "persist"]
    assert said(await thread.values()) == ["The meadow?", "Green."]


async def test_calls_are_executed_again_from_their_step(
    thread: Thread, script: Script, http: httpx2.Client, slow: mcp_servers.Server
) -> None:
    context = {"model": script.model, "tools": [slow.tool()]}
    calls = (("slow_tool", {"seconds": 0}), ("both", {"text": "x"}))
    script.will(together(*calls), says("First."), says("Second."))
    await thread.run("Go", context=context)
    old = (await thread.values())["response"]["id"]
    updates = await thread.run(checkpoint=await thread.checkpoint_before("mcp"), context=context)
    assert path(updates) == ["mcp", "mcp", "call_model", "persist"]
    new = (await thread.values())["response"]["id"]
    first, second = (http.get(f"/responses/{id}").json()["output"] for id in (old, new))
    assert [item["type"] for item in second] == ["mcp_list_tools", "mcp_call", "mcp_call", "message"]
    assert [item["output"] for item in second[1:3]] == [item["output"] for item in first[1:3]]
    assert [items[3]["content"][0]["text"] for items in (first, second)] == ["First.", "Second."]


async def test_run_stopped_at_a_breakpoint_goes_on_as_the_same_response(
    thread: Thread, script: Script, http: httpx2.Client, slow: mcp_servers.Server
) -> None:
    context = {"model": script.model, "tools": [slow.tool()]}
    script.will(together(("slow_tool", {"seconds": 0})), says("Done."))
    stopped = await thread.run("Go", context=context, interrupt_before=["mcp"])
    assert path(stopped)[:2] == ["load", "call_model"]
    id = (await thread.values())["response"]["id"]
    assert http.get(f"/responses/{id}").json()["status"] == "in_progress"
    assert path(await thread.run(context=context)) == ["mcp", "call_model", "persist"]
    response = http.get(f"/responses/{id}").json()
    assert response["status"] == "completed"
    assert [item["type"] for item in response["output"]] == ["mcp_list_tools", "mcp_call", "message"]


# ---------------------------------------------------------------- failures


async def test_cancelled_run_leaves_a_failed_response_with_what_it_said(
    thread: Thread, script: Script, http: httpx2.Client
) -> None:
    sent = threading.Event()
    script.will(says("Some words, and more.", chunks=3).acting(2, lambda _: _set(sent)).stalls(after=2))
    run = await thread.api.runs.create(thread.id, GRAPH, input={"input": "Hi"}, context={"model": script.model})
    assert await asyncio.to_thread(sent.wait, 10)
    await thread.api.runs.cancel(thread.id, run["run_id"], wait=True)
    response = http.get(f"/responses/{(await thread.values())['response']['id']}").json()
    assert response["status"] == "failed"
    assert [item["status"] for item in response["output"]] == ["incomplete"]


async def _set(event: threading.Event) -> None:
    event.set()


async def test_unknown_model_is_an_error_that_says_so(thread: Thread) -> None:
    error = (await thread.run("Hi", context={"model": "nobody"}))[-1]
    assert error["event"] == "error"
    assert "No such model." in error["message"]


async def test_failing_model_server_ends_the_run_and_its_response(
    thread: Thread, script: Script, http: httpx2.Client
) -> None:
    script.will(says("Fine."), fails(400, "Not like this.", type="invalid_request_error"))
    await thread.run("Hi")
    updates = await thread.run("Again")
    assert path(updates[:1]) == ["load"]
    assert updates[-1]["event"] == "error"
    assert "Not like this." in updates[-1]["message"]
    response = http.get(f"/responses/{(await thread.values())['response']['id']}").json()
    assert response["status"] == "failed"
    assert "Not like this." in response["error"]["message"]


def test_web_pages_of_others_read_nothing(studio: Studio) -> None:
    allowed = [
        httpx2.post(f"{studio.url}/threads/search", json={}, headers={"origin": origin}).headers.get(
            "access-control-allow-origin"
        )
        for origin in ("https://smith.langchain.com", "http://localhost:3000", "https://example.com")
    ]
    assert allowed == ["https://smith.langchain.com", "http://localhost:3000", None]


async def test_http_fields_that_mean_nothing_here_are_refused(thread: Thread) -> None:
    parts = thread.api.runs.stream(
        thread.id, GRAPH, input={"input": "Hi", "request": {"conversation": "conv_1"}}, stream_mode=["updates"]
    )
    errors = [part.data async for part in parts if part.event == "error"]
    assert ["'conversation'" in error["message"] for error in errors] == [True]
