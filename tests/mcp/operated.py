"""A server of ours whose operator has configured MCP servers, and callers with keys of their own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

from tests.process import ROOT, Server
from tests.recorder import Recorder, RecordingTransport

KEYS = """
api_keys = [{ owner = "ann", key = "sk-ann" }, { owner = "bob", key = "sk-bob" }]
log_level = "debug"
mcp_allow_private = true
"""
#: A program of ours, with a secret.
PROGRAM = f"""
[[mcp_server]]
label = "program"
command = "{sys.executable}"
args = ["-W", "ignore", "-m", "tests.mcp.program"]
cwd = "{ROOT}"
env = {{ A_TOKEN = "sk-program-5f1c" }}
require_approval = "never"
"""


@contextmanager
def operated(where: Path, upstream_url: str, tables: str, **environment: str) -> Iterator[Server]:
    config = where / "graphnexus.toml"
    config.write_text(KEYS + tables)
    ours = Server(where, upstream_url, "--config", str(config), **environment)
    ours.start()
    try:
        yield ours
    finally:
        ours.stop()


@contextmanager
def caller(server: Server, recorder: Recorder, owner: str = "ann") -> Iterator[OpenAI]:
    plain = httpx2.Client(transport=RecordingTransport(recorder), timeout=30)
    with OpenAI(base_url=server.url, api_key=f"sk-{owner}", max_retries=0, http_client=plain) as client:
        yield client


def named(label: str, **fields: Any) -> Any:
    """A declaration that only names a server."""
    return {"type": "mcp", "server_label": label, **fields}
