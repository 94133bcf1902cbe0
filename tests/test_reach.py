"""Which hosts callers may name: every address, every name, and a name that changes its mind; see `test_reach_doors`."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.session import Sessions
from nodes.mcp.target import Target
from nodes.reach import OutOfReach, Reach, Unresolved, is_public
from tests.contract import promise
from tests.mcp.hostile import Hostile
from tests.process import Server
from tests.upstream import Script, Upstream, says

Json = dict[str, Any]
#: What each stands for is said in docs/security.md.
PRIVATE = [
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.170", "168.63.129.16", "192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    with Hostile() as server:
        yield server


@pytest.fixture(scope="module")
def strict(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of ours whose operator allows 127.0.0.3 and a name, and nothing else that is private."""
    settings = {"GRAPHNEXUS_MCP_ALLOW_PRIVATE": "false", "GRAPHNEXUS_MCP_ALLOWED_HOSTS": "127.0.0.3,MCP.internal."}
    ours = Server(tmp_path_factory.mktemp("strict"), upstream.url, **settings).start()
    yield ours
    ours.stop()


@promise("ssrf.addresses")
@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_on_the_internet_is_private(address: str) -> None:
    assert not is_public(address)
    assert not Reach().covers(address)
    assert Reach(private=True).covers(address)


@promise("ssrf.addresses")
@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)
    assert Reach().covers(address)


@promise("ssrf.addresses")
def test_loopback_opens_this_machine_and_not_its_network() -> None:
    assert [Reach(loopback=True).covers(at) for at in ("127.0.0.1", "::1", "10.0.0.1")] == [True, True, False]
    assert [Reach(loopback=loopback).plainly_excludes("a.localhost.") for loopback in (True, False)] == [False, True]


@promise("ssrf.addresses")
async def test_one_private_address_of_a_name_is_enough_to_refuse_it() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(OutOfReach):
        await Reach(resolve=both).addresses("both.example", 80)


@promise("ssrf.addresses")
async def test_names_that_lead_nowhere_are_told_apart() -> None:
    with pytest.raises(Unresolved):
        await Reach().addresses("nowhere.invalid", 80)
    with pytest.raises(Unresolved):
        await Reach().addresses("a" * 300 + ".example", 80)


@promise("ssrf.names")
async def test_names_of_strangers_wait_for_nobody_and_nobody_for_them() -> None:
    done = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, done.wait)
    try:
        async with asyncio.timeout(5):
            assert "127.0.0.1" in await Reach(loopback=True).addresses("localhost", 80)
            with pytest.raises(ValueError, match="null"):
                await Reach().addresses("a\0b.example", 80)
    finally:
        done.set()
        await busy


class Fickle:
    """A name server whose answer changes after the first question."""

    def __init__(self, first: str, then: str) -> None:
        self.asked = 0
        self._answers = first, then

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return [self._answers[self.asked > 1]]


@promise("ssrf.pinned")
async def test_a_name_that_changes_its_mind_is_still_met_where_it_was_checked() -> None:
    fickle = Fickle("127.0.0.1", "169.254.169.254")
    with Hostile() as server:
        sessions = Sessions(Limits(call_timeout_s=5), Reach(loopback=True, resolve=fickle))
        target = Target(f"http://fickle.example:{server.port}/mcp")
        results = await asyncio.gather(*(sessions.call(target, "fine", {}) for _ in range(3)))
        await sessions.close()
        assert [result["content"][0]["text"] for result in results] == ["fine"] * 3
        assert server.hosts == {f"fickle.example:{server.port}"}
    assert fickle.asked == 1


@promise("ssrf.pinned")
async def test_a_name_that_has_changed_its_mind_is_refused_by_the_session() -> None:
    fickle = Fickle("1.1.1.1", "127.0.0.1")
    reach = Reach(resolve=fickle)
    assert await reach.addresses("fickle.example", 80) == ["1.1.1.1"]  # as the request is checked
    with Hostile() as server:
        sessions = Sessions(Limits(connect_timeout_s=5), reach)
        with pytest.raises(ServerFailed, match="may not be used"):
            await sessions.tools(Target(f"http://fickle.example:{server.port}/mcp"))
        await sessions.close()
        assert not server.counts


@promise("ssrf.allowed")
async def test_networks_and_names_that_the_operator_allows_are_covered_and_no_others() -> None:
    async def private(host: str, port: int) -> list[str]:
        return ["10.9.9.9"]

    reach = Reach(allowed=("10.1.2.0/24", "fd00:1::/32", "mcp.internal", "192.168.1.5"), resolve=private)
    assert [reach.covers(at) for at in ("10.1.2.3", "fd00:1::9", "192.168.1.5")] == [True] * 3
    assert [reach.covers(at) for at in ("10.1.3.3", "fd00:2::9", "192.168.1.6", "127.0.0.1")] == [False] * 4
    assert await reach.addresses("MCP.internal.", 80) == ["10.9.9.9"]
    with pytest.raises(OutOfReach):
        await reach.addresses("other.internal", 80)


@promise("ssrf.allowed")
def test_an_allowed_host_is_used_and_its_neighbour_is_not(
    strict: Server, script: Script, model: str, hostile: Hostile
) -> None:
    script.will(says("."))
    for host, status in (("127.0.0.3", 200), ("127.0.0.2", 400)):
        tool = hostile.tool(server_url=f"http://{host}:{hostile.port}/mcp")
        assert asked(strict, model, tool).status_code == status


def asked(server: Server, model: str, tool: Json) -> httpx2.Response:
    body = {"model": model, "input": "q", "tools": [tool]}
    return httpx2.post(f"{server.url}/responses", json=body, timeout=30)
