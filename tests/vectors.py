"""A server of embeddings for tests: the same words, the same vector. It says nothing of quality."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

NUMBERS = 32


class Vectors:
    """Models by any name that is served."""

    def __init__(self, port: int, names: tuple[str, ...]) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.names = names
        #: Texts that vectors were made of, with the model that was asked.
        self.asked: list[tuple[str, str]] = []
        #: Texts with this word are answered when `go_on` is set.
        self.slow_word = ""
        self.go_on = threading.Event()

    def answer(self, model: str, texts: list[str]) -> dict[str, Any]:
        self.asked += [(model, text) for text in texts]
        if self.slow_word and any(self.slow_word in text for text in texts):
            self.go_on.wait(60)
        data = [{"object": "embedding", "index": at, "embedding": _vector(text)} for at, text in enumerate(texts)]
        return {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


class _Handler(BaseHTTPRequestHandler):
    vectors: Vectors

    def do_GET(self) -> None:
        self._say({"object": "list", "data": [{"id": name, "object": "model"} for name in self.vectors.names]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._say(self.vectors.answer(asked["model"], asked["input"]))

    def _say(self, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        with suppress(OSError):  # whoever asked may be dead
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        return


def _vector(text: str) -> list[float]:
    numbers = [0.0] * NUMBERS
    for word in text.lower().split():
        numbers[crc32(word.encode()) % NUMBERS] += 1
    return numbers


def alike(word: str) -> str:
    """Another word that comes to the same."""
    number = crc32(word.encode()) % NUMBERS
    return next(f"z{at}" for at in range(10_000) if crc32(f"z{at}".encode()) % NUMBERS == number)


@contextmanager
def embedding(*names: str) -> Generator[Vectors]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        vectors = Vectors(server.server_port, names)
        server.RequestHandlerClass = type("Handler", (_Handler,), {"vectors": vectors})
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield vectors
        finally:
            vectors.go_on.set()
            server.shutdown()
