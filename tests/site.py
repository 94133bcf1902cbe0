"""A web site of a test: what is at each path is said by a test, byte for byte."""

import gzip
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MB = 2**20


class Site:
    def __init__(self, port: int) -> None:
        self.port = port
        #: Path → content, and further headers.
        self.pages: dict[str, tuple[bytes, dict[str, str]]] = {}
        #: How often each path was asked for, and by what name.
        self.asked: Counter[str] = Counter()
        self.hosts: set[str] = set()
        #: How often who asked was told that nothing has changed.
        self.unchanged: Counter[str] = Counter()
        #: Bytes that were taken of the endless ones.
        self.taken_bytes = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def has(self, path: str, content: bytes, **headers: str) -> str:
        """Put something at a path; its URL."""
        self.pages[path] = content, {name.replace("_", "-"): value for name, value in headers.items()}
        return self.url(path)


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.site.asked[parts.path] += 1
        self.site.hosts.add(self.headers["host"])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with suppress(BrokenPipeError, ConnectionResetError):
            match parts.path:
                case "/to":
                    self._begin(302, location=query["url"])
                case "/again":
                    self._begin(302, location=self.path)
                case "/endless" | "/bomb" | "/crumbs":
                    self._without_end(parts.path)
                case "/stalls":
                    self._begin(200)
                    time.sleep(20)
                case path if path in self.site.pages:
                    content, headers = self.site.pages[path]
                    if self._is_known(headers):
                        self.site.unchanged[path] += 1
                        return self._begin(304, **headers)
                    self._begin(200, **headers)
                    self.wfile.write(content)
                case _:
                    self._begin(404)

    def _is_known(self, headers: dict[str, str]) -> bool:
        asked = self.headers["if-none-match"] or self.headers["if-modified-since"]
        return asked is not None and asked in (headers.get("etag"), headers.get("last-modified"))

    def _begin(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _without_end(self, path: str) -> None:
        if path == "/crumbs":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            return self._flood(b"1\r\nx\r\n" * 2000)
        if path == "/endless":
            self._begin(200)
            return self._flood(b"x" * 65536)
        self._begin(200, content_encoding="gzip")
        self._flood(_bomb())

    def _flood(self, block: bytes) -> None:
        for _ in range(1000):
            self.wfile.write(block)
            self.site.taken_bytes += len(block)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@cache
def _bomb() -> bytes:
    """A member of a gzip stream that is 64 MB when it is unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MB)) for _ in range(64)) + packer.flush()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content)


@contextmanager
def serving() -> Iterator[Site]:
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:  # of all addresses of this machine
        server.daemon_threads = True
        site = handler.site = Site(server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join(5)
