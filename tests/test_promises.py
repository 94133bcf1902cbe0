"""The contract and the tests speak of the same things."""

import ast
from collections import Counter
from functools import cache
from pathlib import Path

from tests.promised import PROMISES

TESTS = Path(__file__).parent


@cache
def named() -> dict[str, list[str]]:
    """Every promise named by a `@promise`, with the tests that name it."""
    found: dict[str, list[str]] = {}
    for path in sorted([*TESTS.glob("test_*.py"), *TESTS.glob("*/test_*.py")]):
        for test in ast.walk(ast.parse(path.read_text())):
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
                for id in _ids(test):
                    found.setdefault(id, []).append(f"{path.name}::{test.name}")
    return found


def _ids(test: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    marks = [mark for mark in test.decorator_list if isinstance(mark, ast.Call)]
    own = [mark for mark in marks if isinstance(mark.func, ast.Name) and mark.func.id == "promise"]
    return [arg.value for mark in own for arg in mark.args if isinstance(arg, ast.Constant)]  # type: ignore[misc]


def test_every_promise_has_a_test() -> None:
    untested = [made.id for made in PROMISES if not made.gap and made.id not in named()]
    assert not untested, f"promises without a test: {untested}"


def test_every_test_names_a_promise_that_was_made() -> None:
    made = {made.id for made in PROMISES}
    unknown = {id: tests for id, tests in named().items() if id not in made}
    assert not unknown, f"tests of promises not made: {unknown}"


def test_a_promise_that_is_tested_is_not_called_a_gap() -> None:
    wrong = [made.id for made in PROMISES if made.gap and made.id in named()]
    assert not wrong, f"gaps that have tests: {wrong}"


def test_promises_are_made_once_and_say_where_they_come_from() -> None:
    assert [id for id, times in Counter(made.id for made in PROMISES).items() if times > 1] == []
    assert all(made.sentence.endswith(".") and made.source for made in PROMISES)
