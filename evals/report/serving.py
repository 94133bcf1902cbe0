"""A page on loopback, for one reader."""

import socket
import sys
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from evals.unfit import Unfit

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        return listening.getsockname()[1]


def serve(page: Callable[[], str], port: int, browser: bool) -> None:
    """Made anew for every request, so that a reload shows what a resumed run has added. Ends when interrupted."""
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), _answering(page))
    except OSError as problem:
        raise Unfit(
            f"Port {port} of {LOOPBACK} cannot be had ({problem.strerror}): choose another with --port."
        ) from problem
    url = f"http://{LOOPBACK}:{server.server_port}/"
    print(f"The report is on {url} until interrupted (Ctrl-C).", flush=True)
    if browser:
        webbrowser.open(url)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(file=sys.stderr)


def _answering(page: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server calls it so
            if not self._is_ours() or self.path.partition("?")[0] != "/":
                self.send_error(404)
                return
            try:
                status, body, kind = 200, page(), "text/html"
            except (Unfit, OSError) as problem:
                status, body, kind = 500, str(problem), "text/plain"
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("X-Frame-Options", "DENY")
            self.end_headers()
            self.wfile.write(body.encode())

        def _is_ours(self) -> bool:
            """A page of the net, its name made to point here, says its own name."""
            return (self.headers.get("Host") or "").rpartition(":")[0] in {LOOPBACK, "localhost"}

        def log_message(self, format: str, *args: object) -> None:
            """Nobody asks who read the report."""

    return Answering
