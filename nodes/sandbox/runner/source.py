"""The source of a cell: Python, and the lines that only IPython knows."""

from __future__ import annotations

import ast
import re

#: `!ls`, `files = !ls`, `%cd x`, `?name`.
_SPECIAL = re.compile(r"^(?P<indent>\s*)(?P<target>[\w, ]+?=\s*)?(?P<kind>!|%)(?P<rest>.*)$")
_HELP = re.compile(r"^(?P<indent>\s*)\?{0,2}(?P<name>[A-Za-z_][\w.]*)\?{0,2}\s*$")
_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)[ \t]*(?P<line>[^\n]*)\n?(?P<body>.*)", re.DOTALL)


def parsed(source: str, name: str) -> ast.Module:
    """Raises `SyntaxError`, `ValueError` (a NUL)."""
    magic = _CELL_MAGIC.fullmatch(source)
    if magic:
        given = magic.groupdict()
        call = f"__special__('%%', {given['name'] + ' ' + given['line']!r}, {given['body']!r})"
        return ast.parse(call, name)
    lines = source.split("\n")
    for _ in range(len(lines) + 1):
        try:
            return ast.parse("\n".join(lines), name)
        except SyntaxError as error:
            at = (error.lineno or 1) - 1
        if not _translated(lines, at):
            break
    return ast.parse("\n".join(lines), name)  # which tells of the mistake


def silent(source: str) -> bool:
    """Whether it ends in a semicolon: its value is not to be shown."""
    last = source.rstrip().rpartition("\n")[2]
    return last.rstrip().endswith(";") or bool(re.search(r";\s*#[^'\"]*$", last))


def _translated(lines: list[str], at: int) -> bool:
    """Make a call of a line that Python does not know; whether it was one. Lines keep their numbers."""
    if not 0 <= at < len(lines):
        return False
    found = _SPECIAL.match(lines[at])
    if not found:
        return _helped(lines, at)
    rest, following = found["rest"], at + 1
    while rest.endswith("\\") and following < len(lines):
        rest = rest[:-1] + lines[following].strip()
        lines[following] = ""
        following += 1
    wanted = ", True" if found["target"] else ""
    lines[at] = f"{found['indent']}{found['target'] or ''}__special__({found['kind']!r}, {rest.strip()!r}{wanted})"
    return True


def _helped(lines: list[str], at: int) -> bool:
    found = _HELP.match(lines[at])
    if not found or "?" not in lines[at]:
        return False
    lines[at] = f"{found['indent']}help({found['name']})"
    return True
