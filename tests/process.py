"""A server of ours as a process of its own, started the way a person starts it."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from nodes.sandbox import interpreter
from tests.forking import Forked, Nursery

ROOT = Path(__file__).parent.parent
START_S = 30.0
#: Of a command that is run to its end.
LIMIT_S = 60.0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@cache
def nursery() -> Nursery:
    return Nursery()


def run_module(*line: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m …` to its end."""
    with tempfile.TemporaryDirectory() as directory:
        output, errors = Path(directory, "output"), Path(directory, "errors")
        code = nursery().start(line, environment or os.environ, output, errors).wait(LIMIT_S)
        return subprocess.CompletedProcess(line, code, output.read_text(), errors.read_text())


@cache
def _sandboxes() -> Mapping[str, str]:
    """Settings: the Python with packages that was prepared for tests, and no sandbox before one is needed."""
    python = interpreter.prepared(ROOT / ".venv-sandbox" / "sandbox")
    return {"GRAPHNEXUS_SANDBOX_POOL": "0"} | ({"GRAPHNEXUS_SANDBOX_PYTHON": str(python)} if python else {})


class Server:
    """`serve` with the flags given; stopped by `stop`."""

    #: What Python runs.
    module = "server"

    def __init__(self, data_dir: Path, upstream_url: str | None, *flags: str, **environment: str) -> None:
        self.port = free_port()
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        self._log = data_dir / "server.log"
        asked = ["--upstream", upstream_url] if upstream_url else []
        self._line = [
            self.module,
            "serve",
            "--port",
            str(self.port),
            *asked,
            "--data-dir",
            str(data_dir / "kept"),
            *flags,
        ]
        self._environment = {**os.environ, **_sandboxes(), "OPENAI_API_KEY": "sk-upstream", "NO_COLOR": "1"}
        self._environment |= environment
        self._process: Forked | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> "Server":
        self._process = nursery().start(self._line, self._environment, self._log)
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"the server did not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    def stop(self, limit_s: float = 15) -> int:
        """Ask it to end, as an operator would; its exit code."""
        return self._end(signal.SIGTERM, limit_s)

    def kill(self) -> int:
        return self._end(signal.SIGKILL, 15)

    def log(self, since: int = 0) -> str:
        return self._log.read_bytes()[since:].decode(errors="replace") if self._log.exists() else ""

    def log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _end(self, sign: signal.Signals, limit_s: float) -> int:
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(sign)
        return self._process.wait(limit_s)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.origin}/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False
