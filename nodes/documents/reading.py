"""Forks a process for each document that is to be read: `python reading.py SERVER FD PATH...`.

It has imported what reads documents, and never sees one itself. FD is a socket on which its server sends orders, each
in `ORDER_BYTES` of JSON; the paths are where modules are found. With an order that names a `format` come two sockets:
on the first the process that is forked is given the document, and answers with JSON; on the second this one says how
that process ended. Whoever closes the second has it killed. An order that `warm`s names formats that will be asked for.

Of the standard library alone until something is asked for.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

ORDER_BYTES = 512
#: More than are ever open.
_FILES = 2**16
_NODES = Path(__file__).parents[1]
#: Without an order, before one is prepared for.
_QUIET_S = 0.05
#: What a format's module imports when it has seen the document; one of ours that has its libraries make what they make
#: only once.
_ALSO = {"zipped": ("docx", "pptx", "sheets"), "webpage": ("html",)}
_SAMPLES = {
    "webpage": b"<html><title>Hours</title><body><article><h1>Hours</h1><p>It opens at nine.</p></article></html>"
}


def main() -> None:
    server, control = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    # The packages without what their beginnings import, which is the server's, and without the need to list them.
    for name, path in (("nodes", _NODES), ("nodes.documents", _NODES / "documents")):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [str(path)]
    importlib.import_module("nodes.documents.answering")  # for those that are forked
    from nodes.documents import confining

    confining.die_with(server)
    sys.path.extend(sys.argv[3:])
    _Forking(control).run()


class _Spare(NamedTuple):
    """A process that waits for the document it is to read, so that nobody waits for it to be forked."""

    pid: int
    orders: socket.socket


class _Forking:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        #: Process → where its end is told.
        self._reading: dict[int, socket.socket] = {}
        self._spare: _Spare | None = None
        self._spare_wanted = False
        self._warmed = set[str]()
        self._selector = selectors.DefaultSelector()
        self._woken, self._waking = socket.socketpair()
        self._woken.setblocking(False)
        self._waking.setblocking(False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._waking.fileno())

    def run(self) -> NoReturn:
        self._selector.register(self._control, selectors.EVENT_READ, self._obey)
        self._selector.register(self._woken, selectors.EVENT_READ, self._bury)
        while True:
            ready = self._selector.select(_QUIET_S if self._spare_wanted else None)
            for key, _ in ready:
                key.data()
            if not ready:
                self._spare_wanted = False
                self._spare = self._spare or self._forked(ahead=True)

    def _obey(self) -> None:
        said, sockets, _, _ = socket.recv_fds(self._control, ORDER_BYTES, 2, socket.MSG_WAITALL)
        if not said:
            self._end()
        order: dict[str, Any] = json.loads(said)
        for format in order.get("warm", ()):
            self._warm(format)
        if format := order.get("format"):
            self._warm(format)
            self._give(said, *(socket.socket(fileno=fd) for fd in sockets))
        self._spare_wanted = True

    def _end(self) -> NoReturn:
        """The server has gone."""
        for pid in self._reading:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    def _warm(self, format: str) -> None:
        """What cannot be imported fails where it is needed."""
        if format in self._warmed:
            return
        self._warmed.add(format)
        with suppress(ImportError):
            for name in (format, *_ALSO.get(format, ())):
                importlib.import_module(f"nodes.documents.formats.{name}")
        _practise(format)
        gc.collect()
        gc.freeze()  # what is shared stays shared
        if self._spare:  # it has nothing of this
            self._spare.orders.close()
            self._spare = None

    def _give(self, order: bytes, document: socket.socket, ended: socket.socket) -> None:
        spare, self._spare = self._spare or self._forked(), None
        with document, spare.orders, suppress(OSError):  # it was killed: its end is told
            socket.send_fds(spare.orders, [order], [document.fileno()])
        self._reading[spare.pid] = ended
        self._selector.register(ended, selectors.EVENT_READ, lambda: self._unwanted(spare.pid))

    def _forked(self, *, ahead: bool = False) -> _Spare:
        """`ahead`: of the document, so that there is time to prepare."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            self._become(theirs, parent, self._warmed if ahead else ())
        theirs.close()
        return _Spare(pid, ours)

    def _become(self, orders: socket.socket, parent: int, practising: Iterable[str]) -> NoReturn:
        """The process that reads a document: it has nothing else open, and comes back to nobody."""
        from nodes.documents import answering, confining

        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            confining.die_with(parent)
            os.dup2(orders.fileno(), 0)
            os.closerange(3, _FILES)
            for format in practising:
                _practise(format)
            said, (document,), _, _ = socket.recv_fds(socket.socket(fileno=0), ORDER_BYTES, 1, socket.MSG_WAITALL)
            os.dup2(document, 0)
            os.dup2(document, 1)
            os.close(document)
            answering.answer(json.loads(said), parent)
            os._exit(0)  # what there is to tidy up the kernel does sooner
        finally:
            os._exit(1)

    def _unwanted(self, pid: int) -> None:
        if pid in self._reading:
            self._selector.unregister(self._reading[pid])
            os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._buried(*found)

    def _buried(self, pid: int, status: int) -> None:
        if self._spare and pid == self._spare.pid:
            self._spare.orders.close()
            self._spare = None
        if ended := self._reading.pop(pid, None):
            with suppress(KeyError):
                self._selector.unregister(ended)
            with ended, suppress(OSError):
                ended.sendall(b"%d" % os.waitstatus_to_exitcode(status))


def _practise(format: str) -> None:
    """Have its libraries make what they make once. A process that was forked makes its memory its own by that."""
    if format in _SAMPLES:
        with suppress(Exception):
            list(importlib.import_module(f"nodes.documents.formats.{format}").pages(_SAMPLES[format]))


def _noted(number: int, frame: object) -> None:
    """That it came is written to where signals wake this process up."""


if __name__ == "__main__":
    main()
