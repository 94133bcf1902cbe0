"""Tools of servers, listed once for a while: what is asked again and what is not."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from nodes.mcp.failure import ServerFailed
from nodes.mcp.target import Program, Target
from tests import mcp_servers
from tests.contract import promise
from tests.mcp.test_session import come_true, sessions
from tests.upstream import Script, says

ROOT = str(Path(__file__).parent.parent.parent)


def names(tools: list[dict[str, Any]]) -> list[str]:
    return [tool["name"] for tool in tools]


@promise("mcp.list.cached")
def test_another_conversation_gets_the_list_without_asking_for_it(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(says("a"), says("b"), says("c"))
    mine: Any = [fast.tool(headers={"X-Key": "cached"})]
    before = fast.counts()
    first, second = (client.responses.create(model=model, input="q", tools=mine).output[0] for _ in "ab")
    assert (first.type, second.type) == ("mcp_list_tools", "mcp_list_tools")
    assert first.to_dict() | {"id": ""} == second.to_dict() | {"id": ""}
    assert (fast.counts() - before)["tools/list"] == 1
    others: Any = [fast.tool(headers={"X-Key": "another"})]
    client.responses.create(model=model, input="q", tools=others)
    assert (fast.counts() - before)["tools/list"] == 2


@promise("mcp.list.cached")
async def test_those_who_ask_at_once_share_one_question_and_may_leave(fast: mcp_servers.Server) -> None:
    before = fast.counts()
    async with sessions() as opened:
        asked = [asyncio.create_task(opened.tools(Target(fast.url))) for _ in range(20)]
        await asyncio.sleep(0)
        asked[0].cancel()
        lists = await asyncio.gather(*asked[1:])
        assert all(names(tools) == ["fast_tool", "both", "picture", "long"] for tools in lists)
    assert (fast.counts() - before)["tools/list"] == 1


@promise("mcp.list.cached")
@pytest.mark.parametrize(("ttl_s", "asked"), [(0, 3), (2, 2)])
async def test_an_old_list_is_asked_for_again(ttl_s: float, asked: int, fast: mcp_servers.Server) -> None:
    before = fast.counts()
    async with sessions(list_ttl_s=ttl_s) as opened:
        await opened.tools(Target(fast.url))
        await opened.tools(Target(fast.url))
        await asyncio.sleep(ttl_s)
        await opened.tools(Target(fast.url))
    assert (fast.counts() - before)["tools/list"] == asked


@promise("mcp.list.cached")
async def test_a_failure_is_not_kept() -> None:
    server = mcp_servers.Server("sums")
    async with sessions() as opened:
        with pytest.raises(ServerFailed):
            await opened.tools(Target(server.url))
        try:
            server.start()
            assert names(await opened.tools(Target(server.url))) == ["add"]
        finally:
            server.stop()


@promise("mcp.list.changed")
@pytest.mark.parametrize("over", ["http", "stdio"])
async def test_a_server_that_says_its_tools_have_changed_is_asked_again(over: str, asking: mcp_servers.Server) -> None:
    program = Program(sys.executable, ("-m", "tests.mcp.asking_tools"), cwd=ROOT)
    target = Target(asking.url) if over == "http" else Target(program=program)
    async with sessions() as opened:
        assert "dance" not in names(await opened.tools(target))
        await opened.call(target, "learn", {"name": "dance"})
        assert "dance" in names(await opened.tools(target))
        await opened.call(target, "learn", {"name": "sing", "silent": True})
        assert "sing" not in names(await opened.tools(target))
        assert (await opened.call(target, "unheard_of", {}))["isError"]
        assert "sing" in names(await opened.tools(target))


@promise("mcp.list.changed")
async def test_a_server_that_was_started_anew_is_asked_again() -> None:
    with mcp_servers.serve("sums") as server:
        async with sessions() as opened:
            await opened.tools(Target(server.url))
            await asyncio.to_thread(server.restart)
            await opened.call(Target(server.url), "add", {"a": 1, "b": 2})
            await opened.tools(Target(server.url))
            await come_true(lambda: server.counts()["tools/list"] == 1)
