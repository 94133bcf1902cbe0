"""What a parser that a document has taken over could do: with what it is given, nothing."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract import promise
from tests.process import ROOT
from tests.reading import said_of

Json = dict[str, Any]
#: A parser that has been taken over tries each of these, and tells which of them it could do.
EVIL = """
import json, os, socket, sys

def reads(): open("{secret}").read()
def lists(): os.listdir("{folder}")
def writes(): open("{folder}/new", "w").write("x")
def removes(): os.remove("{folder}/victim")
def connects(): socket.create_connection(("127.0.0.1", {port}), 2)
def forks():
    for _ in range(2):
        if os.fork() == 0: os._exit(0)
def environment(): assert "PATH" in os.environ
def grows(): assert len(bytearray(400 << 20))
def starts(): os.execv("/bin/true", ["true"]) if os.fork() == 0 else os.wait()

def signals(): os.kill(os.getppid(), 0)
def inherits():
    for fd in range(3, 64):
        try: os.fstat(fd)
        except OSError: continue
        return
    raise OSError

def tried(name):
    try:
        globals()[name]()
    except BaseException as error:
        return type(error).__name__
    return "done"

def pages(content):
    names = json.loads(content)
    yield ("", json.dumps(dict((name, tried(name)) for name in names)))
"""
#: The call that tells the version of Landlock's interface, and the one from which on it keeps signals in.
_LANDLOCK, _KEEPS_SIGNALS_IN = 444, 6
DEEDS = ["reads", "lists", "writes", "removes", "connects", "environment", "grows"]


def tree(at: Path, evil: str) -> Path:
    """What a reading process is made of, with one more format in it."""
    for part in ("nodes/documents", "nodes/sandbox/confine"):
        shutil.copytree(ROOT / part, at / part)
    (at / "nodes/documents/formats/evil.py").write_text(evil)
    return at / "nodes/documents"


def confined(documents: Path, deeds: list[str]) -> Json:
    """What could be done by a parser."""
    order = {"format": "evil", "charset": "", "chars": 9999, "memory_bytes": 256 << 20, "seconds": 10}
    said = said_of(documents / "reading.py", order, json.dumps(deeds).encode())
    return json.loads(said["pages"][0][1])


def free(documents: Path, deeds: list[str]) -> Json:
    """What the same could do without the defence, so that it is known to be one."""
    run = "import sys; sys.path.insert(0, sys.argv[1]); import evil; print(next(evil.pages(sys.stdin.read()))[1])"
    line = [sys.executable, "-c", run, str(documents / "formats")]
    ran = subprocess.run(line, input=json.dumps(deeds).encode(), capture_output=True, timeout=20, check=True)
    return json.loads(ran.stdout)


@promise("input_file.confined")
def test_a_parser_that_is_taken_over_can_do_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "victim").write_text("v")
    (kept / "secret").write_text("s")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        names = {"secret": f"{kept}/secret", "folder": f"{kept}", "port": port}
        evil = EVIL
        for name, value in names.items():
            evil = evil.replace(f"{{{name}}}", str(value))
        documents = tree(tmp_path, evil)
        could, else_could = confined(documents, DEEDS), free(documents, DEEDS)
    assert not (kept / "victim").exists() and (kept / "new").exists(), "by the one without defence"
    assert "done" not in could.values(), could
    assert could["grows"] == "MemoryError"
    assert set(else_could.values()) == {"done"}, else_could


@promise("input_file.confined")
def test_it_has_nothing_of_the_process_that_has_forked_it(tmp_path: Path) -> None:
    could = confined(tree(tmp_path, EVIL.replace("{port}", "1")), ["inherits", "signals"])
    assert could["inherits"] == "OSError"
    if ctypes.CDLL(None).syscall(_LANDLOCK, None, 0, 1) >= _KEEPS_SIGNALS_IN:
        assert could["signals"] == "PermissionError"


@promise("input_file.confined")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may start processes however many there are")
def test_it_starts_nothing(tmp_path: Path) -> None:
    documents = tree(tmp_path, EVIL.replace("{port}", "1"))
    assert confined(documents, ["forks", "starts"]) == {"forks": "BlockingIOError", "starts": "BlockingIOError"}
