"""Sessions in the hand: when they are opened, shared, kept and closed, and what a broken server may cost."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nodes.mcp.declaration import Target
from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.session import Sessions
from nodes.reach import Reach
from tests import mcp_servers
from tests.contract import promise
from tests.mcp.broken import Broken

Json = dict[str, Any]


@asynccontextmanager
async def sessions(**limits: Any) -> AsyncIterator[Sessions]:
    opened = Sessions(Limits(**limits), Reach(loopback=True))
    try:
        yield opened
    finally:
        await opened.close()


async def come_true(holds: Callable[[], bool], limit_s: float = 10) -> None:
    until = time.monotonic() + limit_s
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < until, "it did not come true"
        await asyncio.sleep(0.02)


def pid_of(server: mcp_servers.Server) -> int:
    assert server.process
    return server.process.pid


def text_of(result: Json) -> str:
    return result["content"][0]["text"]


@promise("mcp.session.kept")
async def test_fifty_calls_at_once_share_one_session(fast: mcp_servers.Server) -> None:
    before = fast.counts()
    async with sessions() as opened:
        asked = (opened.call(Target(fast.url), "fast_tool", {"text": str(at)}) for at in range(50))
        results = await asyncio.gather(*asked)
    assert [text_of(result) for result in results] == [f"fast: {at}" for at in range(50)]
    assert (fast.counts() - before)["initialize"] == 1


@promise("mcp.session.kept")
async def test_other_credentials_and_other_owners_get_another_session(fast: mcp_servers.Server) -> None:
    before = fast.counts()
    async with sessions() as opened:
        for key, owner in (("a", "ann"), ("b", "ann"), ("a", "bob"), ("a", "ann")):
            await opened.call(Target(fast.url, (("X-Key", key),), owner), "fast_tool", {})
    assert (fast.counts() - before)["initialize"] == 3


@promise("mcp.session.idle")
async def test_a_session_nobody_uses_is_closed_and_opened_again_when_needed(fast: mcp_servers.Server) -> None:
    before = fast.counts()
    async with sessions(idle_s=0.2) as opened:
        await opened.call(Target(fast.url), "fast_tool", {"seconds": 0.5})
        await come_true(lambda: (fast.counts() - before)["DELETE"] == 1)
        assert text_of(await opened.call(Target(fast.url), "fast_tool", {"text": "again"})) == "fast: again"
    assert (fast.counts() - before)["initialize"] == (fast.counts() - before)["DELETE"] == 2


@promise("mcp.session.idle")
async def test_no_more_sessions_are_kept_than_allowed(fast: mcp_servers.Server, slow: mcp_servers.Server) -> None:
    before = fast.counts()
    async with sessions(sessions=1) as opened:
        await opened.call(Target(fast.url), "fast_tool", {})
        await opened.call(Target(slow.url), "slow_tool", {"seconds": 0})
        await come_true(lambda: (fast.counts() - before)["DELETE"] == 1)


@promise("mcp.cancel")
async def test_a_cancelled_call_leaves_the_others_alone(slow: mcp_servers.Server) -> None:
    before = slow.counts()
    async with sessions() as opened:
        doomed = asyncio.create_task(opened.call(Target(slow.url), "slow_tool", {"seconds": 60}))
        other = asyncio.create_task(opened.call(Target(slow.url), "slow_tool", {"seconds": 0.5}))
        await come_true(lambda: (slow.counts() - before)["tools/call"] == 2)
        doomed.cancel()
        assert text_of(await other) == "slow: 0.5"
        await come_true(lambda: (slow.counts() - before)["cancelled"] == 1)
        assert text_of(await opened.call(Target(slow.url), "slow_tool", {"seconds": 0})) == "slow: 0.0"
    assert doomed.cancelled()
    assert (slow.counts() - before)["initialize"] == 1


@promise("mcp.broken")
@pytest.mark.parametrize("breakage", sorted(Broken.WAYS))
async def test_a_broken_answer_fails_its_call_at_once_and_not_the_session(breakage: str) -> None:
    async with Broken() as broken, sessions(call_timeout_s=20, answer_bytes=1_000_000) as opened:
        target = Target(broken.url)
        await opened.call(target, "fine", {})
        begun = time.monotonic()
        with pytest.raises(ServerFailed) as failed:
            await opened.call(target, breakage, {})
        assert time.monotonic() - begun < 15
        assert failed.value.message.endswith(".")
        assert text_of(await opened.call(target, "fine", {})) == "fine"
        assert broken.sessions == 1 + (breakage in Broken.RENEWED)


@promise("mcp.broken")
async def test_a_list_without_end_is_given_up() -> None:
    async with Broken() as broken, sessions() as opened:
        broken.endless = True
        with pytest.raises(ServerFailed, match="more than 100 pages"):
            await opened.tools(Target(broken.url))


@promise("mcp.broken")
async def test_a_redirect_is_followed_within_the_server_only() -> None:
    async with Broken() as broken, sessions() as opened:
        moved = Target(broken.url.replace("/mcp", "/moved"))
        assert text_of(await opened.call(moved, "fine", {})) == "fine"
        with pytest.raises(ServerFailed, match="307"):
            await opened.call(moved, "redirect_away", {})
        assert json.dumps(broken.hosts) == json.dumps([f"127.0.0.1:{broken.port}"])


@promise("mcp.session.patient")
async def test_whoever_gives_up_waiting_for_a_session_leaves_it_to_the_others() -> None:
    with mcp_servers.serve("sums") as server:
        async with sessions(connect_timeout_s=5, call_timeout_s=20) as opened:
            os.kill(pid_of(server), signal.SIGSTOP)
            hasty = asyncio.create_task(opened.call(Target(server.url), "add", {"a": 1, "b": 1}))
            others = [asyncio.create_task(opened.call(Target(server.url), "add", {"a": 1, "b": at})) for at in range(9)]
            await asyncio.sleep(0.3)
            hasty.cancel()
            os.kill(pid_of(server), signal.SIGCONT)
            assert [text_of(result) for result in await asyncio.gather(*others)] == [str(1 + at) for at in range(9)]
        assert server.counts()["initialize"] == 1


@promise("mcp.session.patient")
async def test_opening_takes_no_longer_than_it_may_however_many_wait() -> None:
    with mcp_servers.serve("sums") as server:
        async with sessions(connect_timeout_s=0.5, call_timeout_s=20) as opened:
            os.kill(pid_of(server), signal.SIGSTOP)
            begun = time.monotonic()
            first = asyncio.create_task(opened.call(Target(server.url), "add", {"a": 1, "b": 1}))
            await asyncio.sleep(0.3)
            late = asyncio.create_task(opened.call(Target(server.url), "add", {"a": 1, "b": 1}))
            for call in (first, late):
                with pytest.raises(ServerFailed, match=r"within 0\.5 s"):
                    await call
            assert time.monotonic() - begun < 2
            os.kill(pid_of(server), signal.SIGCONT)
            assert text_of(await opened.call(Target(server.url), "add", {"a": 1, "b": 1})) == "2"


@promise("mcp.progress")
async def test_a_call_that_makes_progress_is_given_more_time(asking: mcp_servers.Server) -> None:
    async with sessions(call_timeout_s=0.5) as opened:
        marching = {"steps": 8, "step_s": 0.2}
        assert text_of(await opened.call(Target(asking.url), "march", marching)) == "there"
        with pytest.raises(ServerFailed, match="did not answer within"):
            await opened.call(Target(asking.url), "march", {**marching, "quiet": True})


@promise("mcp.progress")
async def test_a_call_that_never_ends_is_ended_for_all_its_progress(asking: mcp_servers.Server) -> None:
    async with sessions(call_timeout_s=0.2) as opened:
        begun = time.monotonic()
        with pytest.raises(ServerFailed, match="did not answer within"):
            await opened.call(Target(asking.url), "march", {"steps": 1000, "step_s": 0.05})
        assert 1.9 < time.monotonic() - begun < 20
