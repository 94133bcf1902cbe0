"""The Python that holds the variables: it does what the supervisor orders, and runs cells."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NamedTuple, NoReturn

from . import processes, wire
from .cell import Cells
from .ipython import Substitute
from .keeping import Keeping
from .plots import Plots
from .showing import Showing


class Pipes(NamedTuple):
    """Orders of the supervisor, words to it, and what code writes."""

    orders: int
    words: int
    output: int


def main(pipes: Pipes) -> NoReturn:
    """In the child; never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        processes.show()
        Kernel(_moved(pipes)).run()
    except (wire.Closed, KeyboardInterrupt):
        os._exit(0)
    finally:
        os._exit(1)


class Kernel:
    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes
        self._pid = os.getpid()
        self._interrupts = Interrupts()
        self._showing = Showing(pipes.output, self._show_image)
        Plots(self._showing.figure).install()
        Substitute(self._showing).install()
        self._cells = Cells(self._showing)
        self._keeping = Keeping(self._cells)
        self._ear = wire.Ear(pipes.orders)

    def run(self) -> NoReturn:
        forget_ourselves()
        while True:
            order = self._ear.next()
            done = self._obey(order)
            if os.getpid() != self._pid:  # a fork that code has made and forgotten
                os._exit(0)
            wire.say(self._pipes.words, {"done": done})

    def _obey(self, order: wire.Message) -> wire.Message:
        kind = order["ask"]
        self._restore()
        if kind == "code":
            with self._interrupts.let():
                self._cells.run(order["code"])
            self._flush()
        elif kind == "save":
            with suppress(Exception, SystemExit), self._interrupts.let():
                return {"size": self._keeping.save(order["path"], order["limit"])}
        elif kind == "load":
            with suppress(Exception, SystemExit), self._interrupts.let():
                self._keeping.load(order["path"])
        return {}

    def _show_image(self, image: str) -> None:
        """Returns when it has its place among what was written."""
        with self._interrupts.held():
            wire.say(self._pipes.words, {"image": image})
            while self._ear.next()["ask"] != "on":
                pass

    def _restore(self) -> None:
        """What a cell may have closed, and the next one needs."""
        for fd in (1, 2):
            try:
                os.fstat(fd)
            except OSError:
                os.dup2(self._pipes.output, fd)
        if sys.stdout.closed or sys.stderr.closed:
            _speak()

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        if "ctypes" in sys.modules:  # code of other languages has buffers of its own
            with suppress(Exception):
                import ctypes

                ctypes.CDLL(None).fflush(None)


class Interrupts:
    """Ctrl-C is for cells alone, and not in the midst of a word to the supervisor."""

    def __init__(self) -> None:
        self._meant = self._held = self._late = False

    @contextmanager
    def let(self) -> Generator[None]:
        """Here it raises `KeyboardInterrupt`, whatever an earlier cell has made of the signal."""
        signal.signal(signal.SIGINT, self._come)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._meant = True
        try:
            yield
        except KeyboardInterrupt:
            pass
        finally:
            self._meant = False

    @contextmanager
    def held(self) -> Generator[None]:
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._late:
            self._late = False
            raise KeyboardInterrupt

    def _come(self, _signal: int, _frame: FrameType | None) -> None:
        if self._held:
            self._late = True
        elif self._meant:
            raise KeyboardInterrupt


def forget_ourselves() -> None:
    """Code that imports `runner`, or `files`, means its own."""
    for name in [name for name in sys.modules if name == "__main__" or name.partition(".")[0] == __package__]:
        del sys.modules[name]


def _moved(pipes: Pipes) -> Pipes:
    """The pipes under numbers that code does not happen on, and nothing else open."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(pipes.output, 1)
    os.dup2(pipes.output, 2)
    moved = Pipes(*(os.dup(fd) for fd in pipes))
    last = max(*pipes, *moved)
    for fd in range(3, last + 1):
        if fd not in moved:
            with suppress(OSError):
                os.close(fd)
    for fd in moved:
        os.set_inheritable(fd, False)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # for as long as the process lives
    _speak()
    return moved


def _speak() -> None:
    """What is printed leaves line by line, in order with what other programs write."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = open(fd, "wb", closefd=False)  # noqa: SIM115
        text = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
