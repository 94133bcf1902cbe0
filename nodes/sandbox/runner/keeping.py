"""Variables on their way into another sandbox, as far as they can be kept.

Modules are imported again, functions and classes of cells made again from their source, and everything else is pickled:
together, so that what is shared stays shared; what cannot be pickled, or is too large, is left out.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, BinaryIO

from .cell import Cells
from .definitions import Definition, Definitions

#: Of the sources of cells.
_SOURCE_CHARS = 1 << 20
_END_BYTES = 8
#: Come back first: definitions may need them, and they need nothing.
_ATOMS = (int, float, complex, bool, str, bytes, type(None))


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


class Keeping:
    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def save(self, path: str, limit: int) -> int:
        """Write what can be kept, at most about `limit` bytes; gives how many, 0 when there is nothing to keep."""
        given = {name: value for name, value in self._cells.variables.items() if name not in self._cells.ours}
        modules = {name: value.__name__ for name, value in given.items() if isinstance(value, ModuleType)}
        definitions = Definitions(self._cells)
        defined = {name: definitions.of(name, value) for name, value in given.items()}
        rest = {name: value for name, value in given.items() if name not in modules and not defined[name]}
        if not given:
            return 0
        with open(path, "wb") as file:  # noqa: PTH123  # a path of ours
            parts = _Parts(file, limit)
            atoms = {name: value for name, value in rest.items() if type(value) in _ATOMS}
            parts.add_all(atoms)
            parts.add_all({name: value for name, value in rest.items() if name not in atoms})
            about = {
                "modules": modules,
                "definitions": [definition for definition in defined.values() if definition],
                "cells": self._sources(),
                "number": self._cells.number,
                "parts": parts.sizes,
            }
            end = json.dumps(about).encode()
            file.write(end + len(end).to_bytes(_END_BYTES, "big"))
            return file.tell()

    def load(self, path: str) -> None:
        """Bring back what there is; what does not come back is left out."""
        with open(path, "rb") as file:  # noqa: PTH123
            whole = file.read()
        os.unlink(path)  # noqa: PTH108
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
        unmade = [Definition(*one) for one in about["definitions"]]
        for part in _cut(memoryview(whole), about["parts"]):
            with suppress(Exception):
                self._cells.variables.update(pickle.loads(part))  # noqa: S301  # inside a sandbox
            unmade = _unmade(definitions, unmade)  # each may need a variable, and a variable each

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


def _cut(whole: memoryview, sizes: Sequence[int]) -> Iterator[memoryview]:
    """Nothing first: definitions that need no variables come before all."""
    yield whole[:0]
    at = 0
    for size in sizes:
        yield whole[at : at + size]
        at += size


class _Parts:
    """Pickles, one after the other in a file."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._room = limit
        self.sizes: list[int] = []

    def add_all(self, variables: dict[str, Any]) -> None:
        if not variables or self._add(variables, _plain):
            return
        sizes = {name: _size(value, self._room) for name, value in variables.items()}
        good = _fitting({name: size for name, size in sizes.items() if size is not None}, self._room)
        if good:
            self._add({name: variables[name] for name in good}, _plain)
        for name in variables:
            if sizes[name] is None:
                self._add({name: variables[name]}, _by_value)

    def _add(self, variables: dict[str, Any], dump: Callable[[Any, Sink], None]) -> bool:
        """Whether it could be pickled and there was room; else the file is as before."""
        began = self._file.tell()
        try:
            dump(variables, Sink(self._room, self._file))
        except Exception:
            self._file.seek(began)
            self._file.truncate()
            return False
        size = self._file.tell() - began
        self._room -= size
        self.sizes.append(size)
        return True


def _plain(value: Any, sink: Sink) -> None:
    pickle.Pickler(sink, protocol=pickle.HIGHEST_PROTOCOL).dump(value)


def _by_value(value: Any, sink: Sink) -> None:
    """Also what has no name, such as a lambda. Raises `ImportError` where that package is missing."""
    import cloudpickle  # pyright: ignore  # of the sandbox

    cloudpickle.dump(value, sink)  # pyright: ignore[reportUnknownMemberType]


def _size(value: Any, room: int) -> int | None:
    """Of its pickle; None when it cannot be pickled, or is too large."""
    sink = Sink(room)
    try:
        _plain(value, sink)
    except Exception:
        return None
    return sink.taken


def _fitting(sizes: dict[str, int], room: int) -> list[str]:
    """As many as fit, small ones first."""
    chosen: list[str] = []
    for name in sorted(sizes, key=sizes.__getitem__):
        room -= sizes[name]
        if room < 0:
            break
        chosen.append(name)
    return [name for name in sizes if name in chosen]


def _unmade(definitions: Definitions, wanted: list[Definition]) -> list[Definition]:
    """Make these again, as often as it helps; gives those that could not be."""
    while wanted:
        left = [definition for definition in wanted if not definitions.make(definition)]
        if len(left) == len(wanted):
            break
        wanted = left
    return wanted
