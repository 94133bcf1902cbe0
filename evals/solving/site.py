"""The pages of a suite, served on this machine while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from evals.suite.schema import Suite
from evals.unfit import Unfit


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, "": "text/html"}  # noqa: RUF012 - the parent's

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def served(suite: Suite) -> Iterator[str]:
    """Its address, without a slash at its end; empty where the suite has no pages. Raises `Unfit`."""
    if suite.site is None:
        yield ""
        return
    directory = Path(suite.directory) / suite.site
    if not directory.is_dir():
        raise Unfit(f"The site {directory} of the suite {suite.name!r} is no directory.")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
