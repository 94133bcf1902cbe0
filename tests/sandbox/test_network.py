"""The way out of a sandbox: allowed domains and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from nodes.sandbox import places
from nodes.sandbox.bwrap import Bwrap
from nodes.sandbox.interpreter import find
from nodes.sandbox.local import LocalSandboxes
from nodes.sandbox.network.domains import as_domain, covers
from nodes.sandbox.port import Broken, Network, Room, Secret
from nodes.sandbox.proxy import Exits
from tests.contract import promise
from tests.sandbox.network import Names, Site, World, exits, inside, site, way_out


@pytest.fixture
async def api() -> AsyncIterator[Site]:
    async with site() as here:
        yield here


@promise("network.allowed")
@pytest.mark.parametrize(
    ("entry", "covered", "not_covered"),
    [
        ("example.com", ["example.com", "EXAMPLE.com."], ["a.example.com", "example.com.evil.test", "notexample.com"]),
        ("*.example.com", ["a.example.com", "a.b.example.com"], ["example.com", "aexample.com"]),
        ("bücher.example", ["xn--bcher-kva.example", "BÜCHER.example"], ["bucher.example"]),
    ],
)
def test_an_entry_covers_what_it_says(entry: str, covered: list[str], not_covered: list[str]) -> None:
    assert all(covers([as_domain(entry)], host) for host in covered)
    assert not any(covers([as_domain(entry)], host) for host in not_covered)


@promise("network.allowed")
@pytest.mark.parametrize(
    "entry", ["", "*", "*.com", "http://a.test", "a.test:80", "a test", "::1", "a..b", "a/b", "x" * 300]
)
async def test_what_is_no_domain_is_refused(entry: str) -> None:
    with pytest.raises(Broken, match="is no domain"):
        await Exits().open(Network([entry]))


@promise("network.allowed")
async def test_allowed_domains_are_reached_and_others_are_not(api: Site) -> None:
    names = Names(api_test=["127.0.0.1"], other_test=["127.0.0.1"])
    async with way_out(exits(names, api.port), "api.test") as exit, inside(exit) as client:
        answer = await client.post(f"http://api.test:{api.port}/a?b=c", content=b"hello", headers={"Host": "evil.test"})
        assert (answer.status_code, answer.headers["x-site"]) == (200, "yes")
        assert answer.text.startswith("POST /a?b=c HTTP/1.1\r\n")
        assert answer.text.endswith("hello")
        assert f"host: api.test:{api.port}\r\n" in answer.text.lower()  # what was looked at, not what was said
        refused = await client.get(f"http://other.test:{api.port}/")
        assert (refused.status_code, refused.text) == (
            403,
            "other.test is not among the allowed domains of this container.\n",
        )
        assert (await client.get("http://api.test:1/")).status_code == 403
    assert "other.test" not in names.asked  # a name is a message, too
    assert len(api.asked) == 1


@promise("network.allowed")
async def test_tls_is_passed_through() -> None:
    world = World("tls.test")
    async with site(await world.server("tls.test")) as here:
        opened = exits(Names(tls_test=["127.0.0.1"]), here.port)
        async with way_out(opened, "tls.test") as exit, inside(exit, world.client()) as client:
            assert (await client.get(f"https://tls.test:{here.port}/deep")).text.startswith("GET /deep")
            with pytest.raises(httpx.ProxyError, match="403 other.test is not among the allowed domains"):
                await client.get(f"https://other.test:{here.port}/")


@promise("network.allowed")
@pytest.mark.parametrize(
    "asked",
    [
        b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n",
        b"\x16\x03\x01 no http\r\n\r\n",
        b"CONNECT a@api.test:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET ftp://api.test/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_for_a_proxy_is_refused(api: Site, asked: bytes) -> None:
    async with way_out(exits(Names(api_test=["127.0.0.1"]), api.port), "api.test") as exit:
        assert (await spoken(exit.socket, exit.token, asked)).startswith(b"HTTP/1.1 400 ")


async def spoken(socket: str, token: str, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(token.encode() + b"\n" + asked)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@promise("network.private")
@pytest.mark.parametrize("host", ["127.0.0.1", "metadata.test", "localhost"])
async def test_an_allowed_name_that_leads_home_is_refused(api: Site, host: str) -> None:
    names = Names(metadata_test=["169.254.169.254"], localhost=["127.0.0.1"])
    async with way_out(exits(names, api.port, allowed=()), host) as exit, inside(exit) as client:
        refused = await client.get(f"http://{host}:{api.port}/")
        assert (refused.status_code, refused.text) == (403, f"{host} is not on the public internet.\n")
    assert not api.asked


@promise("network.private")
async def test_the_address_that_was_looked_at_is_used() -> None:
    """A name that is asked once cannot lead elsewhere the second time."""
    async with site(host="127.0.0.3") as here:
        names = Names(rebinding_test=["127.0.0.3", "127.0.0.1"])
        opened = exits(names, here.port, allowed=("127.0.0.3",))
        async with way_out(opened, "rebinding.test") as exit, inside(exit) as client:
            assert (await client.get(f"http://rebinding.test:{here.port}/")).status_code == 200
            assert names.asked == ["rebinding.test"]
            assert (await client.get(f"http://rebinding.test:{here.port}/")).status_code == 403


async def moved(client: httpx.AsyncClient, url: str, size_bytes: int) -> int | None:
    """The status of the answer; None where there was none."""
    try:
        return (await client.post(url, content=b"x" * size_bytes)).status_code
    except httpx.TransportError:
        return None


@promise("network.limits")
async def test_what_is_moved_is_bounded(api: Site) -> None:
    async with way_out(exits(Names(api_test=["127.0.0.1"]), api.port), "api.test") as exit, inside(exit) as client:
        told = [await moved(client, f"http://api.test:{api.port}/", 300_000) for _ in range(5)]
        assert told[0] == 200
        assert 200 not in told[3:]
        assert (await client.get(f"http://api.test:{api.port}/")).status_code == 403
    assert len(api.asked) < 4


@promise("network.limits")
async def test_open_connections_are_bounded(api: Site) -> None:
    async with way_out(exits(Names(api_test=["127.0.0.1"]), api.port), "api.test") as exit:
        held = [await asyncio.open_unix_connection(exit.socket) for _ in range(5)]
        async with asyncio.timeout(3):
            assert await held[4][0].read() == b""
        for _, writer in held:
            writer.close()


@promise("network.token")
async def test_without_the_token_nothing_is_served(api: Site) -> None:
    asked = f"GET http://api.test:{api.port}/ HTTP/1.1\r\nHost: api.test\r\n\r\n".encode()
    async with way_out(exits(Names(api_test=["127.0.0.1"]), api.port), "api.test") as exit:
        assert await spoken(exit.socket, "0" * 64, asked) == b""
        assert (await spoken(exit.socket, exit.token, asked)).startswith(b"HTTP/1.1 200 ")
        directory = Path(exit.directory)
    assert not directory.exists()
    assert len(api.asked) == 1


@promise("network.token")
async def test_what_a_killed_server_has_left_is_removed(api: Site) -> None:
    left = places.made("graphnexus-exit-")
    opened = exits(Names(), api.port)
    async with way_out(opened, "api.test"):
        assert left.path.exists()  # it is open: somebody lives
    os.close(left.lock)
    async with way_out(opened, "api.test"):
        assert not left.path.exists()


@promise("network.secrets")
async def test_a_secret_is_put_in_over_http_for_its_domain_alone(api: Site) -> None:
    names = Names(api_test=["127.0.0.1"], other_test=["127.0.0.1"])
    secrets = [Secret("api.test", "API_KEY", "sk-real")]
    asked = {"Authorization": "Bearer API_KEY"}
    async with (
        way_out(exits(names, api.port), "api.test", "other.test", secrets=secrets) as exit,
        inside(exit) as client,
    ):
        await client.get(f"http://api.test:{api.port}/", headers=asked)
        await client.get(f"http://other.test:{api.port}/", headers=asked)
        assert not [file for file in Path(exit.directory).iterdir() if file.is_file() and "sk-real" in file.read_text()]
    assert "Bearer sk-real" in api.asked[0]
    assert "Bearer API_KEY" in api.asked[1]


@promise("network.secrets")
async def test_a_secret_is_put_in_over_https() -> None:
    """Its domain is spoken to in TLS by us, and by code with a certificate that its sandbox alone trusts."""
    world = World("tls.test")
    secrets = [Secret("tls.test", "API_KEY", "sk-real")]
    async with site(await world.server("tls.test")) as here:
        opened = exits(Names(tls_test=["127.0.0.1"]), here.port, world=world)
        async with way_out(opened, "tls.test", secrets=secrets) as exit, inside(exit) as client:
            answer = await client.post(f"https://tls.test:{here.port}/", json={}, headers={"x-key": "API_KEY"})
            assert answer.status_code == 200
    assert "x-key: sk-real" in here.asked[0].lower()


@promise("network.secrets")
async def test_a_secret_is_not_told_to_who_only_says_to_be_its_domain() -> None:
    """The real server's certificate is looked at before anything is sent."""
    world, impostor = World("tls.test"), World("tls.test")
    secrets = [Secret("tls.test", "API_KEY", "sk-real")]
    async with site(await impostor.server("tls.test")) as here:
        opened = exits(Names(tls_test=["127.0.0.1"]), here.port, world=world)
        async with way_out(opened, "tls.test", secrets=secrets) as exit, inside(exit) as client:
            with pytest.raises(httpx.ProxyError, match="502"):
                await client.get(f"https://tls.test:{here.port}/", headers={"x-key": "API_KEY"})
    assert not here.asked


#: In a sandbox that has a way out: what is tried, and how it ends.
TRIED = {
    "'GET' in urlopen('http://api.test:PORT/').read().decode()": "True",
    "urlopen('http://other.test:PORT/')": "HTTPError: HTTP Error 403: other.test is not among the allowed domains",
    "'k: sk-real' in urlopen(Request('https://tls.test:TLS/', headers={'k': 'KEY'})).read().decode()": "True",
    "socket.create_connection(('127.0.0.1', PORT), 2)": "ConnectionRefusedError",
    "socket.create_connection(('1.1.1.1', 443), 2)": "OSError: [Errno 101]",
    "socket.getaddrinfo('api.test', 80)": "gaierror",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))": "1",
    "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)": "PermissionError",
    "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)": "OSError: [Errno 97]",
    "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)": "OSError: [Errno 97]",
}


@promise("network.allowed", "network.secrets")
async def test_the_only_way_out_of_a_sandbox_is_the_proxy(api: Site) -> None:
    world = World("tls.test")
    secrets = [Secret("tls.test", "KEY", "sk-real")]
    async with site(await world.server("tls.test")) as tls:
        names = Names(api_test=["127.0.0.1"], tls_test=["127.0.0.1"])
        opened = exits(names, api.port, tls.port, world=world)
        ways = LocalSandboxes(Bwrap(), find(None, Path("/nonexistent")), exits=opened)
        if problem := await ways.problem():
            pytest.skip(problem)
        sandbox = await ways.open(Room(network=Network(["api.test", "tls.test"], secrets)))
        try:
            await sandbox.run_code("import os, socket\nfrom urllib.request import Request, urlopen", 60, lambda _: None)
            for tried, ends in TRIED.items():
                code = tried.replace("PORT", str(api.port)).replace("TLS", str(tls.port))
                told = "".join(one.value for one in (await sandbox.run_code(code, 60, lambda _: None)).outputs)
                assert told.strip().splitlines()[-1].startswith((ends, f"urllib.error.{ends}", f"socket.{ends}")), told
            found = await sandbox.run_code("sorted(os.environ.values())", 60, lambda _: None)
            assert "sk-real" not in str(found.outputs)
        finally:
            await sandbox.close()
    assert len(api.asked) == 1
