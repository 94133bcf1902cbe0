"""The rules of the house that a machine can check."""

import ast
import importlib.metadata
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("graph", "nodes", "checkpoints", "server", "evals")
OURS = {*PRODUCT, "tests"}

#: The only modules in which each of these may be written: one a program.
HOMES = {
    '"sequence_number"': {"graph/events.py"},
    "environ": {"server/settings/environment.py", "evals/environment.py"},
    "getenv": {"server/settings/environment.py", "evals/environment.py"},
}


#: What runs inside sandboxes: another world, with an environment of its own.
INSIDE = ROOT / "nodes/sandbox/runner"


def modules() -> list[Path]:
    return sorted(path for room in PRODUCT for path in (ROOT / room).rglob("*.py"))


def functions() -> Iterator[tuple[str, int]]:
    """Name and lines of every function of the product, its docstring not counted."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", lines_of(node)


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From `def` to the last line, without the docstring and the decorators."""
    first = function.body[0]
    spoken = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = (first.end_lineno or 0) - first.lineno + 1 if spoken else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_arrows_between_rooms_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_dependency_brings_a_package_of_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    strangers = {name: set(owners.get(name, ())) - {"graphnexus"} for name in OURS}
    assert not {name: owner for name, owner in strangers.items() if owner}


@pytest.mark.parametrize("word", HOMES)
def test_what_has_one_home_is_written_nowhere_else(word: str) -> None:
    wanted = f"{word!s}".strip('"')

    def says(path: Path) -> bool:
        nodes = ast.walk(ast.parse(path.read_text()))
        if word.startswith('"'):
            return any(isinstance(node, ast.Constant) and node.value == wanted for node in nodes)
        return any(wanted in (getattr(node, "attr", ""), getattr(node, "id", "")) for node in nodes)

    ours = [path for path in modules() if INSIDE not in path.parents]
    assert {str(path.relative_to(ROOT)) for path in ours if says(path)} <= HOMES[word]


def test_functions_are_short() -> None:
    measured = dict(functions())
    assert not {name: lines for name, lines in measured.items() if lines >= 40}
    assert statistics.median(measured.values()) < 10


def test_modules_are_short() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert not {name: lines for name, lines in sizes.items() if lines >= 300}


def test_every_module_says_what_it_is() -> None:
    silent = [
        path for path in modules() if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent
