"""A file's text → what it says, and the line of every key and entry. Raises `Unfit`, which names the line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from evals.unfit import Unfit

Json = dict[str, Any]
#: Where something stands: keys and indexes from the top.
Place = tuple[int | str, ...]
#: By place, the line it begins on.
Lines = dict[Place, int]

#: What a line of JSONL may be instead of a case: fields of the suite itself.
_HEADER = "suite"
#: Keys and entries of a file, those that anchors stand for counted as often as they are named.
_LIMIT = 2_000_000
#: A key of YAML that brings those of another mapping.
_MERGE = "<<"


def placed(path: Path, text: str) -> tuple[Json, Lines]:
    try:
        return _jsonl(path, text) if path.suffix == ".jsonl" else _yaml(path, text)
    except RecursionError:
        raise Unfit(f"{path} cannot be read: it is nested too deeply.") from None


# ---------------------------------------------------------------- YAML


def _yaml(path: Path, text: str) -> tuple[Json, Lines]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _measure(path, node, {})
        _refuse_twins(path, node, set())
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise Unfit(f"{where}: not YAML: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(given, dict):
        found = "nothing" if given is None else f"a {type(given).__name__}"
        raise Unfit(f"{path}:1: a suite has a name and cases; found {found}.")
    lines = Lines()
    _note(node, (), lines)
    return given, lines


def _measure(path: Path, node: Any, known: dict[int, int | None]) -> int:
    """Keys and entries under a node; anchors are what makes a small file a large one."""
    if id(node) in known:
        if (size := known[id(node)]) is None:
            raise Unfit(f"{path}:{node.start_mark.line + 1}: what is anchored here is part of itself.")
        return size
    known[id(node)] = None
    size = 1 + sum(_measure(path, one, known) for one in _under(node))
    if size > _LIMIT:
        raise Unfit(f"{path}:{node.start_mark.line + 1}: more than {_LIMIT:,} keys and entries, anchors written out.")
    known[id(node)] = size
    return size


def _under(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _refuse_twins(path: Path, node: Any, seen: set[int]) -> None:
    """YAML forbids a key that is there twice; the library takes the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        first = dict[str, int]()
        for key, _ in node.value:
            if not isinstance(key.value, str) or key.value == _MERGE:
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                raise Unfit(f"{path}:{line}: {key.value!r} is on line {first[key.value]}, too; leave one out.")
            first[key.value] = line
    for one in _under(node):
        _refuse_twins(path, one, seen)


def _note(node: Any, place: Place, lines: Lines) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == _MERGE:
                _note(value, place, lines)
            elif isinstance(key.value, str):
                lines.setdefault((*place, key.value), key.start_mark.line + 1)
                _note(value, (*place, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note(value, (*place, index), lines)


# ---------------------------------------------------------------- JSONL


def _jsonl(path: Path, text: str) -> tuple[Json, Lines]:
    suite: Json = {"name": path.stem}
    cases: list[Any] = []
    lines: Lines = {("cases",): 1}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise Unfit(f"{path}:{number}: not JSON: {error}.") from error
        if not isinstance(given, dict):
            raise Unfit(f'{path}:{number}: a line is a case, or {{"suite": …}} with the suite\'s own fields.')
        if set(given) == {_HEADER} and isinstance(given[_HEADER], dict):
            suite |= given[_HEADER]
            _note_json(given[_HEADER], (), lines, number)
            continue
        _note_json(given, ("cases", len(cases)), lines, number)
        cases.append(given)
    return {**suite, "cases": cases}, lines


def _note_json(value: Any, place: Place, lines: Lines, number: int) -> None:
    lines[place] = number
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in entries:
        _note_json(one, (*place, key), lines, number)
