"""What the tests of escapes stand on: somebody who opens sandboxes, and what is to be had on the host."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PYTHON = "/usr/bin/python3"
NOBODY = 65534
MARK = "GRAPHNEXUS_TEST_SECRET"
HERE = Path(__file__).parent
Json = dict[str, Any]

needs_bwrap = pytest.mark.skipif(
    not (shutil.which("bwrap") and Path(PYTHON).exists()), reason="needs bubblewrap and the system's Python"
)


def uid_of(who: str) -> int:
    return os.geteuid() if who == "server" or os.geteuid() else NOBODY


class Attacker:
    """A process of `who`: `server` is whoever runs the tests (root in CI), `user` somebody without rights."""

    def __init__(self, who: str, *around: str) -> None:
        self.uid = uid_of(who)
        self.secret = secrets.token_hex(8)
        self.process = subprocess.Popen(
            [*around, sys.executable, HERE / "attacker.py", str(self.uid)],
            stdin=-1,
            stdout=-1,
            env={"PATH": "/usr/bin:/bin", MARK: self.secret},
            text=True,
        )

    def ask(self, job: str, **more: Any) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"job": job, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def inside(self, *codes: str, arguments: tuple[str, ...] = (), **more: Any) -> list[Json]:
        """What came of pieces of Python, each in a sandbox of its own, at once."""
        return self.ask("inside", programs=[[PYTHON, "-I", "-c", code, *arguments] for code in codes], **more)

    def outside(self, *program: str) -> Json:
        return self.ask("outside", program=program)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Host:
    """Things of a host that no sandbox may reach, and who came for them."""

    def __init__(self, folder: Path) -> None:
        self.word = secrets.token_hex(8)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._udp.settimeout(0.3)
        self._tcp = self._listening(socket.AF_INET, ("127.0.0.1", 0))
        self._abstract = self._listening(socket.AF_UNIX, "\0" + self.word)
        self._socket = self._listening(socket.AF_UNIX, str(folder / "socket"))
        (folder / "socket").chmod(0o666)
        (folder / "file").write_text("readable by everybody")
        self._folder = folder

    def facts(self, attacker: Attacker) -> str:
        return json.dumps(
            {
                "word": self.word,
                "udp": self._udp.getsockname()[1],
                "tcp": self._tcp.getsockname()[1],
                "abstract": self.word,
                "socket": str(self._folder / "socket"),
                "file": str(self._folder / "file"),
                "pid": attacker.process.pid,
                "secret": attacker.secret,
            }
        )

    def heard(self) -> bool:
        """Whether a datagram has come."""
        with contextlib.suppress(TimeoutError):
            return self._udp.recv(100).decode() == self.word
        return False

    def close(self) -> None:
        for each in (self._udp, self._tcp, self._abstract, self._socket):
            each.close()

    def _listening(self, family: int, address: Any) -> socket.socket:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.bind(address)
        made.listen()
        return made


def alive(mark: str) -> list[int]:
    """Processes of this machine that have the word in their command line."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


@contextlib.contextmanager
def attacking(who: str, *around: str) -> Iterator[Attacker]:
    """`around`: what the attacker is started by."""
    attacker = Attacker(who, *around)
    try:
        yield attacker
    finally:
        attacker.close()
