"""Python processes that find in memory what they import: forked from one that has imported it, and started nothing.

What is started is a process of its own, with its own arguments, environment, output and session, and runs its module
as `python -m` does. That spares more than a second of CPU a server, and the tests start some hundreds.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

_ROOT = Path(__file__).parent.parent
_LIBRARIES = (
    "alembic.command",
    "certifi",
    "cryptography.fernet",
    "dbos",
    "fastapi",
    "fsspec.implementations.local",
    "h11",
    "jiter",
    "jsonschema",
    "langchain_openai",
    "langchain_mcp_adapters.sessions",
    "langgraph.graph",
    "langgraph.pregel.main",
    "mcp.server.fastmcp",
    "openai",
    "openai.resources.chat.completions",
    "openai.types.responses",
    "orjson",
    "psycopg_pool",
    "pydantic_settings",
    "python_multipart.multipart",
    "regex",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "standardwebhooks",
    "tiktoken",
    "starlette.middleware.cors",
    "typer",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "uvloop",
    "yaml",
)
#: Of ours: what serves. Metrics look at the environment when they are loaded, which matters in workers alone: those are
#: not forked from here.
_OURS = ("checkpoints.postgres", "server.app", "server.banner", "server.checkup", "server.socket")


class Forked:
    """A process, as `subprocess.Popen` has one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def end(self, status: int) -> None:
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def send_signal(self, sign: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, sign)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Nursery:
    """The process that is forked from, started when it is first needed, seen from the tests."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.forking"]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self._process.kill)
        self._asking = threading.Lock()
        self._born = threading.Semaphore(0)
        self._newest = Forked(0)
        self._living: dict[int, Forked] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self, line: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None = None
    ) -> Forked:
        """`line`: a module and its arguments. What it writes is added to `output`, and to `errors` if that is given."""
        asked = {
            "line": list(line),
            "environment": dict(environment),
            "output": str(output),
            "errors": str(errors or output),
        }
        with self._asking:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            self._born.acquire()
            return self._newest

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            told: dict[str, int] = json.loads(line)
            if "status" in told:
                self._living.pop(told["pid"]).end(told["status"])
            else:
                self._newest = self._living[told["pid"]] = Forked(told["pid"])
                self._born.release()


# ---------------------------------------------------------------- the process that is forked from


def main() -> None:
    for name in (*_LIBRARIES, *_OURS):
        importlib.import_module(name)
    assert threading.active_count() == 1, "a thread does not survive a fork"
    gc.collect()
    gc.freeze()  # or every collection in a child would copy all of it
    if asked := _serve():
        _become(asked)


def _serve() -> dict[str, Any] | None:
    """Fork whenever asked to; gives what was asked in the child, and None when nobody will ask again."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda _sign, _frame: os.write(wake, b"."))
    unread = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap()
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                return None
            *lines, unread = (unread + read).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.close(woken)
                    os.close(wake)
                    return json.loads(line)
                _tell(pid=pid)


def _reap() -> None:
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(pid=ended[0], status=ended[1])
    except ChildProcessError:
        pass


def _tell(**fields: int) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


def _become(asked: dict[str, Any]) -> NoReturn:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name, wanted in (("output", 1), ("errors", 2)):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), wanted)
    os.environ.clear()
    os.environ.update(asked["environment"])
    module, *arguments = asked["line"]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main()
