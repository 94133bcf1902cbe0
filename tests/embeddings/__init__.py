"""The small embedding model that tests use, as a server of its own."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

MODEL = "use-lite-en"
_HERE = Path(__file__).parent

needs_embeddings = pytest.mark.skipif(
    not (shutil.which("node") and (_HERE / "node_modules").is_dir()),
    reason="node is missing, or tests/embeddings/node_modules, which `make test` installs where npm is",
)


@contextmanager
def embeddings() -> Generator[str]:
    """The URL of its API."""
    environment = {"PATH": os.environ["PATH"], "PARENT": str(os.getpid())}
    line = ["node", str(_HERE / "server.mjs")]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
