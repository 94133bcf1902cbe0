"""A web of a test on loopback: pages, and search engines with the shapes of the real ones."""

import json
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
Found = tuple[str, str, str]


class Engines:
    """All four of them, on one port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        #: URL, title and text of what they find, whatever they are asked.
        self.found: list[Found] = []
        #: What each answers with instead of 200.
        self.statuses: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        #: The last question to each: parameters or body, and headers.
        self.last: dict[str, tuple[Json, dict[str, str]]] = {}

    def answer(self, name: str) -> Json:
        if name == "searxng":
            nowhere = {"url": None, "title": "An answer", "content": "42"}
            return {"query": "q", "results": [nowhere, *self._hits("content")], "answers": [], "suggestions": []}
        if name == "brave":
            return {"type": "search", "web": {"type": "search", "results": self._hits("description")}}
        if name == "tavily":
            return {"query": "q", "results": [hit | {"score": 0.9} for hit in self._hits("content")]}
        return {"requestId": "1", "results": [hit | {"id": hit["url"]} for hit in self._hits("text")]}

    def _hits(self, text: str) -> list[Json]:
        return [{"url": url, "title": title, text: said} for url, title, said in self.found]


class _Handler(BaseHTTPRequestHandler):
    engines: Engines

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked: Json = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._answer("brave" if parts.path.startswith("/res/") else "searxng", asked)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer("exa" if self.headers["x-api-key"] else "tavily", body)

    def _answer(self, name: str, asked: Json) -> None:
        engines = self.engines
        engines.asked[name] += 1
        engines.last[name] = asked, {key.lower(): value for key, value in self.headers.items()}
        said = json.dumps(engines.answer(name)).encode()
        self.send_response(engines.statuses.get(name, 200))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def searching() -> Generator[Engines]:
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        engines = handler.engines = Engines(server.server_address[1])  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield engines
        server.shutdown()
        thread.join(5)
