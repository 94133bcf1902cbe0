"""The internet as tests need it: servers on loopback, names that lead there, and a client behind a way out."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence

import httpx

from nodes.reach import Reach
from nodes.sandbox.network.authority import Authority
from nodes.sandbox.network.passing import Limits
from nodes.sandbox.port import Network, Secret
from nodes.sandbox.proxy import Exit, Exits
from nodes.sandbox.runner import forward


class Site:
    """Answers every request with its own text: what the server was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            sized = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(sized[0].split(b":")[1])) if sized else b""
            self.asked.append((head + body).decode())
            told = self.asked[-1].encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Site: yes\r\n\r\n%s" % (len(told), told))
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def site(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Site]:
    here = Site()
    server = await asyncio.start_server(here.serve, host, 0, ssl=tls)
    here.port = server.sockets[0].getsockname()[1]
    yield here
    server.close()


class Names:
    """DNS of the test; a name with several answers changes its mind each time it is asked."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self.names.get(host)
        if not answers:
            raise OSError("no such name")
        return [answers.pop(0) if len(answers) > 1 else answers[0]]


class World:
    """Certificates all of whose names the proxy believes."""

    def __init__(self, *hosts: str) -> None:
        self._authority = Authority(hosts)

    async def server(self, host: str) -> ssl.SSLContext:
        return await self._authority.context(host)

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self._authority.pem)

    @property
    def pem(self) -> str:
        return self._authority.pem


def exits(names: Names, *ports: int, allowed: Sequence[str] = ("127.0.0.1",), world: World | None = None) -> Exits:
    """Ways out that may lead to `ports` of loopback, and where the test says also to other addresses."""
    reach = Reach(allowed=tuple(allowed), resolve=names.resolve)
    limits = Limits(ports=frozenset(ports), total_bytes=1 << 20, connections=4)
    return Exits(reach, limits, world.client) if world else Exits(reach, limits)


@contextlib.asynccontextmanager
async def way_out(opened: Exits, *domains: str, secrets: Sequence[Secret] = ()) -> AsyncIterator[Exit]:
    exit = await opened.open(Network(domains, secrets))
    yield exit
    await exit.close()


@contextlib.asynccontextmanager
async def inside(exit: Exit, trusted: ssl.SSLContext | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has nothing but the forwarder, as code inside has."""
    found = await asyncio.to_thread(forward.start, exit.socket, exit.token, exit.certificates)
    verify = trusted or ssl.create_default_context(cafile=found["SSL_CERT_FILE"])
    try:
        async with httpx.AsyncClient(proxy=found["HTTP_PROXY"], verify=verify, timeout=10) as client:
            yield client
    finally:
        await asyncio.to_thread(forward.stop)
