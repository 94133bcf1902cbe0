"""What a parser that a document has taken over could do: with what it is given, nothing."""

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
DEEDS = ["reads", "lists", "writes", "removes", "connects", "environment", "grows"]


def tree(at: Path, evil: str) -> Path:
    """What a reading process is made of, with one more format in it."""
    for part in ("nodes/documents", "nodes/sandbox/confine"):
        shutil.copytree(ROOT / part, at / part)
    (at / "nodes/documents/formats/evil.py").write_text(evil)
    return at / "nodes/documents"


def tried(line: list[str], deeds: list[str], **options: Any) -> Json:
    ran = subprocess.run(line, input=json.dumps(deeds).encode(), capture_output=True, timeout=20, **options)
    assert ran.returncode == 0, ran.stderr.decode()
    said: Json = json.loads(ran.stdout)
    return json.loads(said["pages"][0][1])


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
        order = {"format": "evil", "chars": 9999, "memory_bytes": 256 << 20, "seconds": 10, "parent": os.getpid()}
        line = [sys.executable, "-I", "-S", str(documents / "reading.py"), json.dumps(order), *sys.path]
        confined = tried(line, DEEDS, env={}, cwd="/")
        assert (kept / "victim").exists() and not (kept / "new").exists()
        # The same without the defence, so that it is known to be one.
        plain = "import sys, json; sys.path.insert(0, sys.argv[1]); import evil; t = next(evil.pages(sys.stdin.read()))"
        free = tried(
            [sys.executable, "-c", f"{plain}; print(json.dumps(dict(pages=[t])))", str(documents / "formats")], DEEDS
        )
    assert "done" not in confined.values(), confined
    assert confined["grows"] == "MemoryError"
    assert set(free.values()) == {"done"}, free


@promise("input_file.confined")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may start processes however many there are")
def test_it_starts_nothing(tmp_path: Path) -> None:
    documents = tree(tmp_path, EVIL.replace("{port}", "1"))
    order = {"format": "evil", "chars": 9999, "memory_bytes": 256 << 20, "seconds": 10, "parent": os.getpid()}
    line = [sys.executable, "-I", "-S", str(documents / "reading.py"), json.dumps(order), *sys.path]
    assert tried(line, ["forks", "starts"], env={}, cwd="/") == {
        "forks": "BlockingIOError",
        "starts": "BlockingIOError",
    }
