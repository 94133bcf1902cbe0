"""A server under measurement: started, watched by its process id, stopped. Linux only: it reads /proc."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_READY_S = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Place:
    """The checkout a server is started from, and what its environment has beside ours."""

    root: Path = Path()
    env: dict[str, str] = field(default_factory=dict[str, str])


class Process:
    """`python -m <line>` on `port`."""

    def __init__(self, port: int, line: list[str], log: Path, place: Place | None = None) -> None:
        self.port = port
        place = place or Place()
        began = time.perf_counter()
        with log.open("ab") as out:
            # `env` becomes the command it is given.
            command = ["/usr/bin/env", *(f"{name}={value}" for name, value in place.env.items())]
            command += [sys.executable, "-m", *line]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=place.root
            )
        self._wait_until_ready(log)
        self.ready_s = time.perf_counter() - began
        self.ready_cpu_s = self.cpu_s()

    @classmethod
    @contextmanager
    def running(cls, port: int, line: list[str], log: Path, place: Place | None = None) -> Generator[Self]:
        process = cls(port, line, log, place)
        try:
            yield process
        finally:
            process.stop()

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, user and system, in nanosecond steps (see clock_getcpuclockid(3))."""
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def memory_kb(self) -> int:
        """Memory of its own: resident pages that nobody shares."""
        lines = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))

    def peak_kb(self) -> int:
        """The most pages that were ever resident, shared ones included."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self, log: Path) -> None:
        until = time.perf_counter() + _READY_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.perf_counter() > until:
                self.stop()
                raise RuntimeError(f"A server did not start: {log.read_text()[-2000:]}")
            time.sleep(0.01)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def machine() -> str:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )
    load = "/".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{os.cpu_count()} × {model}, Python {sys.version.split()[0]}, load {load}"
