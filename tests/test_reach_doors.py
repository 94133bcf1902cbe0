"""One list of addresses nobody may be led to, tried at every door: each says so, and nothing there is asked.

A name that changes its mind is met where it was checked: see `test_reach` (MCP), `test_hostile_files` (whatever is
fetched) and `sandbox/test_network` (the proxy of containers and browsers).
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from nodes.reach import Reach
from nodes.sandbox.network.passing import Limits
from nodes.sandbox.port import Network
from nodes.sandbox.proxy import Exit, Exits
from tests.conftest import check_log
from tests.contract import promise
from tests.process import Server
from tests.site import Site, serving
from tests.upstream import Script, Upstream, says, together

Json = dict[str, Any]
#: The only address that is allowed; the site is at every address of this machine.
ALLOWED = "127.0.0.3"
#: In every spelling, what is not on the internet, and what carries or leads to such an address.
HOSTS = [
    "127.0.0.2", "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "[::]", "[::1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]",
    "[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::127.0.0.2]", "[::ffff:0:7f00:2]",
    "[2002:7f00:2::]", "[2001:0:7f00:2::]", "[64:ff9b::7f00:2]", "[64:ff9b:1::7f00:2]",
    "2130706434", "0x7f000002", "017700000002", "0177.0.0.2", "0x7f.2", "127.2", "127.0.0.2.", "127.000.000.002", "0",
    "localhost", "LOCALHOST.", "a.localhost", "127。0。0。2", "１２７.0.0.2",
]  # fmt: skip
#: Where parsers of URLs disagree, and what is no address of the web. All are refused, each in its own words.
ODD = [
    f"http://{ALLOWED}@127.0.0.2:{{port}}/secret", f"http://127.0.0.2:{{port}}\\@{ALLOWED}:{{port}}/secret",
    f"http://{ALLOWED}:{{port}}\\@127.0.0.2:{{port}}/secret", "http://%3127.0.0.2:{port}/secret",
    "http://127.0.0.2:{port}#@nowhere.invalid/secret", "http://[::1%25lo]:{port}/secret", "http://127.0.0.2:0/secret",
    f"http://{ALLOWED}:99999/secret",
    "http://1.1.1.1.127.0.0.2:{port}/secret", "file:///etc/passwd", "ftp://127.0.0.2:{port}/secret", "http:///secret",
    "gopher://127.0.0.2:{port}/_GET%20/secret", "http://nowhere.invalid/secret", "nonsense",
]  # fmt: skip
#: How an address that is allowed leads to one that is not.
LED = [f"http://{ALLOWED}:{{port}}/to?url=http://{host}:{{port}}/secret" for host in ("127.0.0.2", "[::1]", "0x7f.2")]
#: What is said of them; the others of what is no address in the eyes of who reads it.
REFUSALS = ("not on the public internet", "is no URL that can be fetched", "400 That is no HTTP.")
#: Chromium, where a step is a page and its picture, brings every spelling into one form before it asks the proxy.
FEWER = [
    "127.0.0.2", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.64.0.1", "[::1]", "[fd00:ec2::254]",
    "[::ffff:127.0.0.2]", "[2002:7f00:2::]", "[64:ff9b::7f00:2]", "0x7f.2", "0177.0.0.2", "a.localhost",
]  # fmt: skip
#: Doors where redirects are followed to other hosts: an MCP server's are not, and a container follows them itself.
FOLLOWING = ("open_page", "browser_navigate", "file_url", "image_url")


@dataclass(frozen=True)
class House:
    server: Server
    site: Site
    script: Script

    def urls(self, patterns: Sequence[str]) -> list[str]:
        return [pattern.replace("{port}", str(self.site.port)) for pattern in patterns]

    def called(self, tool: str, declared: Any, urls: Sequence[str]) -> list[str]:
        """What a model is told that calls `tool` with each of `urls`."""
        self.script.will(together(*((tool, {"url": url}) for url in urls)), says("."))
        with OpenAI(base_url=self.server.url, api_key="any", max_retries=0, timeout=60) as client:
            client.responses.create(model=self.script.model, input="Try.", tools=[declared])
        return [_text(message["content"]) for message in self.script.last.messages if message["role"] == "tool"]

    def named(self, make: Callable[[str], Json], urls: Sequence[str]) -> list[str]:
        """What callers are told whose requests name each of `urls`."""
        with httpx2.Client(timeout=30) as plain:
            bodies = [{"model": self.script.model, "input": "q", **make(url)} for url in urls]
            answers = [plain.post(f"{self.server.url}/responses", json=body) for body in bodies]
        assert {answer.status_code for answer in answers} <= {400, 424}
        return [answer.json()["error"]["message"] for answer in answers]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else str(content)


def _file(url: str) -> Json:
    return {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": url}]}]}


def _image(url: str) -> Json:
    return {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}


def _server(url: str) -> Json:
    return {"tools": [{"type": "mcp", "server_label": "a", "server_url": url, "require_approval": "never"}]}


async def _connected(house: House, urls: Sequence[str]) -> list[str]:
    """What code in a container is told whose allow-list has the host of each of `urls`; `anywhere` has every host."""
    way_out = await Exits(Reach(allowed=(ALLOWED,)), Limits(ports=None)).open(Network((), anywhere=True))
    try:
        return [await _asked(way_out, url) for url in urls]
    finally:
        await way_out.close()


async def _asked(way_out: Exit, url: str) -> str:
    reader, writer = await asyncio.open_unix_connection(way_out.socket)
    host = url.partition("//")[2].partition("/")[0]
    writer.write(f"{way_out.token}\nGET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    return said.decode()


DOORS: dict[str, Callable[[House, Sequence[str]], list[str]]] = {
    "open_page": lambda house, urls: house.called("open_page", {"type": "web_search"}, urls),
    "browser_navigate": lambda house, urls: house.called("browser_navigate", {"type": "browser"}, urls),
    "file_url": lambda house, urls: house.named(_file, urls),
    "image_url": lambda house, urls: house.named(_image, urls),
    "server_url": lambda house, urls: house.named(_server, urls),
    "container": lambda house, urls: asyncio.run(_connected(house, urls)),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        site.has("/secret", b"Secret.", content_type="text/plain")
        yield site


@pytest.fixture(scope="module")
def ours(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """All its doors are open to one address of this machine and to no other."""
    kinds = ("WEB_SEARCH", "BROWSER", "FETCH", "MCP")
    allowed = {f"GRAPHNEXUS_{kind}_ALLOWED_HOSTS": ALLOWED for kind in kinds}
    private = {f"GRAPHNEXUS_{kind}_ALLOW_PRIVATE": "false" for kind in ("FETCH", "MCP")}
    where = tmp_path_factory.mktemp("doors")
    ours = Server(where, upstream.url, **allowed, **private, GRAPHNEXUS_IMAGE_URLS="fetch").start()
    yield ours
    ours.stop()
    check_log(ours.log())


@promise("ssrf.doors", "web_search.reach", "input_file.reach", "ssrf.addresses", "browser.shut_in", "network.private")
@pytest.mark.parametrize("door", DOORS)
def test_no_door_leads_to_an_address_that_is_not_on_the_internet(
    ours: Server, site: Site, script: Script, door: str
) -> None:
    house = House(ours, site, script)
    led = LED if door in FOLLOWING else []
    hosts, others = (FEWER, ODD[:4]) if door == "browser_navigate" else (HOSTS, ODD)
    urls = house.urls([f"http://{host}:{{port}}/secret" for host in hosts] + led)
    told = dict(zip(urls, DOORS[door](house, urls), strict=True))
    assert {url: said[:200] for url, said in told.items() if not any(word in said for word in REFUSALS)} == {}
    odd = house.urls(others)
    told = dict(zip(odd, DOORS[door](house, odd), strict=True))
    assert {url: said for url, said in told.items() if not said or "Secret." in said} == {}
    assert not site.asked["/secret"]


@promise("input_file.fetch_limits", "web_search.unharmed")
@pytest.mark.parametrize("door", ["open_page", "file_url", "image_url"])
def test_a_bomb_stops_at_the_cap(ours: Server, site: Site, script: Script, door: str) -> None:
    """A browser ends that unpacks one: it needs more memory than there is for it."""
    site.taken_bytes = 0
    (said,) = DOORS[door](House(ours, site, script), [site.url("/bomb", ALLOWED)])
    assert "is larger than" in said
    assert site.taken_bytes < 32 * 2**20  # so much fits into the buffers between
