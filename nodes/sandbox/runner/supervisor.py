"""The supervisor of a sandbox: it hears those outside, and outlives whatever code does to its Python."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from . import environment, processes, wire
from .command import run_command
from .files import Files
from .python import Python
from .turn import Inbox, Turn

#: Where callers' files are; the same outside.
FILES = "/mnt/data"


class Supervisor:
    """Obeys one call after the other. Raises `Closed` when those outside have gone."""

    def __init__(self, hearing: int, saying: int, files: str, scratch: str) -> None:
        self._inbox = Inbox(wire.Ear(hearing))
        self._saying = saying
        self._reaper = processes.Reaper()
        self._places = {"files": Files(files), "scratch": Files(scratch)}
        self._files = files
        self._scratch = scratch

    def run(self) -> None:
        self._welcome(self._inbox.next())
        while True:
            asked = self._inbox.next()
            answer = self._obeyed(asked)
            wire.say(self._saying, {"id": asked["id"], "end": answer})

    def _welcome(self, hello: wire.Message) -> None:
        """The first call says what is to be known before any code runs."""
        if hello.get("exit"):
            from . import forward

            os.environ.update(forward.start(*hello["exit"]))
        self._python = Python(self._reaper)
        wire.say(self._saying, {"id": hello["id"], "end": {"python": sys.version.split()[0]}})

    def _obeyed(self, asked: wire.Message) -> wire.Message:
        kind = asked["ask"]
        if kind == "command":
            return run_command(self._turn({**asked, "folder": self._files}), self._reaper)
        if kind in ("save", "load"):
            return self._python_does({**asked, "path": f"{self._scratch}/{asked['name']}"})
        if kind == "code":
            return self._python_does(asked)
        try:
            return self._of_files(self._places[asked["place"]], kind)(asked)
        except OSError as error:
            return {"errno": error.errno or 0, "reason": error.strerror or str(error)}

    def _of_files(self, files: Files, kind: str) -> Callable[[wire.Message], wire.Message]:
        return {
            "read": files.read,
            "write": files.write,
            "drop": files.drop,
            "remove": files.remove,
            "changes": files.changes,
        }[kind]

    def _python_does(self, asked: wire.Message) -> wire.Message:
        """Give it to the Python; a dead one is replaced, so that the next call finds one."""
        turn = self._turn(asked)
        if self._python.dead:  # between the calls
            self._replace()
            turn.say({"lost": True})
        answer = turn.of(self._python)
        if answer.get("lost"):
            answer["ended"] = self._replace()
        return answer

    def _turn(self, asked: wire.Message) -> Turn:
        return Turn(asked, self._inbox, lambda message: wire.say(self._saying, message))

    def _replace(self) -> int:
        status = self._python.end()
        try:
            self._python = Python(self._reaper)
        except OSError:  # something has made all the processes there may be
            processes.kill(processes.below(os.getpid()))
            self._python = Python(self._reaper)
        return status


def main() -> None:
    """Serve those at the other end of stdin and stdout."""
    hearing, saying = os.dup(0), os.dup(1)
    for fd in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.hide()
    files = sys.argv[1] if len(sys.argv) > 1 else FILES
    scratch = environment.prepare(files)
    try:
        Supervisor(hearing, saying, files, scratch).run()
    except (wire.Closed, KeyError, OSError):
        processes.kill(processes.below(os.getpid()))
        os._exit(1)
