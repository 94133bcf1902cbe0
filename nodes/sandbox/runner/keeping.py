"""Variables on their way into another sandbox, as far as they can be kept.

Modules are imported again, functions and classes of cells made again from their source, and everything else is pickled,
one variable after the other, with one memory, so that what is shared stays shared. What cannot be pickled, or is too
large, is left out.
"""

from __future__ import annotations

import importlib
import io
import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, BinaryIO, NamedTuple

from .cell import Cells
from .definitions import Definition, Definitions

#: Of the sources of cells.
_SOURCE_CHARS = 1 << 20
_END_BYTES = 8
#: Come back first: definitions may need them, and they need nothing.
_ATOMS = (int, float, complex, bool, str, bytes, type(None))
_IMPORTED = (type, FunctionType, BuiltinFunctionType)
#: The last in which an object has the number it was given, whatever became of the ones before it.
_PROTOCOL = 3


class TooLarge(Exception):
    """More than is kept."""


class Sink(io.RawIOBase):
    """Takes up to `room` bytes, and gives them to a file if there is one."""

    def __init__(self, room: int, file: BinaryIO | None = None) -> None:
        self._room = room
        self._file = file
        self.taken = 0

    def write(self, piece: Any) -> int:
        size = len(memoryview(piece).cast("B")) if not isinstance(piece, bytes) else len(piece)
        self.taken += size
        if self.taken > self._room:
            raise TooLarge
        if self._file:
            self._file.write(piece)
        return size


class Part(NamedTuple):
    """A variable in the file."""

    name: str
    size: int
    #: Whether it may name objects of the parts before.
    shares: bool


class Keeping:
    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def save(self, path: str, limit: int) -> int:
        """Write what can be kept, at most about `limit` bytes; gives how many, 0 when there is nothing to keep.

        An interrupt ends the gathering; what was gathered is kept.
        """
        given = {name: value for name, value in self._cells.variables.items() if name not in self._cells.ours}
        if not given:
            return 0
        modules = {name: value.__name__ for name, value in given.items() if isinstance(value, ModuleType)}
        definitions = Definitions(self._cells)
        defined = {name: definitions.of(name, value) for name, value in given.items()}
        rest = {name: value for name, value in given.items() if name not in modules and not defined[name]}
        with open(path, "wb") as file:  # noqa: PTH123  # a path of ours
            about = {
                "modules": modules,
                "definitions": [definition for definition in defined.values() if definition],
                "cells": self._sources(),
                "number": self._cells.number,
                "parts": Parts(file, limit).of(rest),
            }
            end = json.dumps(about).encode()
            file.write(end + len(end).to_bytes(_END_BYTES, "big"))
            return file.tell()

    def load(self, path: str) -> None:
        """Bring back what there is; what does not come back is left out."""
        with open(path, "rb") as file:  # noqa: PTH123
            whole = file.read()
        end = int.from_bytes(whole[-_END_BYTES:], "big")
        about = json.loads(whole[-_END_BYTES - end : -_END_BYTES])
        for name, source in about["cells"].items():
            self._cells.remember(name, source)
        self._cells.number = about["number"]
        self._cells.enter()
        for name, module in about["modules"].items():
            with suppress(Exception):
                self._cells.variables[name] = importlib.import_module(module)
        definitions = Definitions(self._cells)
        unmade = definitions.make([Definition(*one) for one in about["definitions"]])
        for _ in self._unpickled(whole, [Part(*one) for one in about["parts"]]):
            unmade = definitions.make(unmade)  # each may need a variable, and a variable each

    def _unpickled(self, whole: bytes, parts: Sequence[Part]) -> Iterator[None]:
        """Bring one variable back after the other, and stop after each."""
        file, known = io.BytesIO(whole), None
        end = 0
        for part in parts:
            file.seek(end)
            end += part.size
            unpickler = pickle.Unpickler(file)  # noqa: S301  # inside a sandbox
            if part.shares and known:
                unpickler.memo = known
            with suppress(Exception):
                self._cells.variables[part.name] = unpickler.load()
            known = unpickler.memo
            yield

    def _sources(self) -> dict[str, str]:
        """The newest cells, in order."""
        kept: dict[str, str] = {}
        room = _SOURCE_CHARS
        for name, source in reversed(list(self._cells.sources.items())):
            room -= len(source)
            if room < 0:
                break
            kept[name] = source
        return dict(reversed(list(kept.items())))


class Parts:
    """Pickles, one after the other in a file."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._done: list[Part] = []
        self._forget()

    def of(self, variables: dict[str, Any]) -> list[Part]:
        try:
            for name in sorted(variables, key=lambda name: not _early(variables[name])):
                self._add(name, variables[name])
        except KeyboardInterrupt:
            pass  # there is no more time
        return self._done

    def _add(self, name: str, value: Any) -> None:
        began = self._file.tell()
        try:
            if _pickled(value, self._limit - began):
                self._pickler.dump(value)
            else:
                self._forget()
                _pickle_by_value(value, Sink(self._limit - began, self._file))
        except BaseException as error:
            self._file.seek(began)
            self._file.truncate()
            self._forget()
            if isinstance(error, KeyboardInterrupt):
                raise
            return
        self._done.append(Part(name, self._file.tell() - began, self._shares))
        self._shares = True

    def _forget(self) -> None:
        """What follows names no object of before."""
        self._pickler = pickle.Pickler(Sink(self._limit - self._file.tell(), self._file), _PROTOCOL)
        self._shares = False


def _early(value: Any) -> bool:
    """Whether it needs nothing that is made in cells."""
    foreign = isinstance(value, _IMPORTED) and getattr(value, "__module__", None) != "__main__"
    return foreign or type(value) in _ATOMS


def _pickled(value: Any, room: int) -> bool:
    """Whether it can be, in so many bytes; nothing of it is kept. Raises `KeyboardInterrupt`."""
    try:
        pickle.Pickler(Sink(room), _PROTOCOL).dump(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return False
    return True


def _pickle_by_value(value: Any, sink: Sink) -> None:
    """Also what has no name, such as a lambda. Raises `ImportError` where that package is missing."""
    import cloudpickle  # pyright: ignore  # of the sandbox

    cloudpickle.dump(value, sink)  # pyright: ignore
