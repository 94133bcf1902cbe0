"""The processes that read documents, seen from outside."""

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from nodes.documents.reading import ORDER_BYTES

Json = dict[str, Any]


def children(pid: int) -> list[int]:
    found = list[int]()
    with suppress(OSError):  # threads and processes come and go
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def forking(pid: int) -> list[int]:
    """The process of a server that forks those that read."""
    found = list[int]()
    for child in children(pid):
        with suppress(OSError):
            if b"documents/reading.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def readers(pid: int) -> list[int]:
    """Those of a server that read documents, without the one that waits for the next."""
    return [reader for parent in forking(pid) for reader in children(parent) if _confined(reader)]


def _confined(pid: int) -> bool:
    with suppress(OSError):
        return "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    return False


def said_of(script: Path, order: Json, content: bytes) -> Json:
    """What a process says to a document that is forked as a server has it forked."""
    control, theirs = socket.socketpair()
    talk, document = socket.socketpair()
    ended, told = socket.socketpair()
    for one in (talk, ended):
        one.settimeout(20)
    line = [sys.executable, "-I", "-S", str(script), str(os.getpid()), str(theirs.fileno()), *sys.path]
    with subprocess.Popen(line, env={}, cwd="/", pass_fds=[theirs.fileno()]), control, theirs, talk, ended:
        with document, told:
            said = json.dumps(order).encode().ljust(ORDER_BYTES)
            socket.send_fds(control, [said], [document.fileno(), told.fileno()])
        talk.sendall(content)
        talk.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: talk.recv(2**16), b""))
        assert ended.recv(16) == b"0", answer
        control.close()
        theirs.close()
    return json.loads(answer)
