"""Codex as a person has it who followed the docs, with a watch on whom it talks to."""

import json
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients.running import MODULES, environment, example_for, run
from tests.process import Server

PROGRAM = MODULES / ".bin" / "codex"
needs_codex = pytest.mark.skipif(
    not PROGRAM.exists(),
    reason="tests/clients/node_modules, which `make test` installs where npm is, has no Codex",
)
#: What Codex has to be told so that it asks nobody but its provider.
_SILENT = "check_for_update_on_startup = false\nanalytics.enabled = false\nfeatures.plugins = false\n"


class Outside(ThreadingHTTPServer):
    """A proxy that goes nowhere and remembers who wanted out."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Noting)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self.server_port}"
        return {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": "127.0.0.1,localhost"}


class _Noting(BaseHTTPRequestHandler):
    server: Outside

    def handle_one_request(self) -> None:
        self.server.asked.append(self.rfile.readline(300).decode(errors="replace").strip())
        self.close_connection = True


class Codex:
    """Codex with the configuration of the docs, in a home and a workspace of its own."""

    def __init__(self, where: Path, server: Server, model: str, **changed: str) -> None:
        """`changed`: other values of the configuration."""
        self.home, self.workspace = where / "home", where / "workspace"
        self.home.mkdir()
        self.workspace.mkdir()
        self._config = example_for("Codex", "toml", server.url, model)
        before = tomllib.loads(self._config)
        for name, value in changed.items():
            self._config = self._config.replace(f'{name} = "{before[name]}"', f'{name} = "{value}"')
        self.outside = Outside()

    def run(self, *command: str, **provider: bool) -> list[dict[str, Any]]:
        """The events of `codex exec COMMAND… --json`; `provider` adds to what Codex knows of us."""
        more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in provider.items())
        (self.home / "config.toml").write_text(_SILENT + self._config + more)
        flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"]
        told = environment(self.home, CODEX_HOME=str(self.home), GRAPHNEXUS_API_KEY="any", **self.outside.environment())
        said = run([str(PROGRAM), "exec", *flags, *command], self.workspace, told)
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def close(self) -> None:
        self.outside.shutdown()
        self.outside.server_close()
