"""A promptfoo file → a suite: every prompt with every test, assertions as graders.

Source: promptfoo's documentation, "Configuration reference" and "Assertions & metrics" (read 2026-11-23).
"""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import regex
import yaml

from evals.importing.asked import asked_of, judges_of
from evals.importing.assertions import KINDS, grader_of
from evals.importing.found import Imported, needs_judge, plain
from evals.importing.nunjucks import named, rendered, unnamed
from evals.unfit import Unfit

Json = dict[str, Any]

_FILE = "file://"
#: Expected values of a table's rows: `contains: Paris`, `Paris`.
_EXPECTED = "__expected"
#: Fields of a test that change verdicts and that have nothing here.
_LOST = (
    "provider", "providers", "providerOutput", "assertScoringFunction", "transform", "postprocess", "prefix", "suffix",
    "rubricPrompt", "prompts",
)  # fmt: skip
#: How files of prompts end that are named without `file://`.
_TEXTS = (".txt", ".json", ".yaml", ".yml", ".md")


def is_one(document: Any) -> bool:
    return isinstance(document, dict) and "prompts" in document


def imported(document: Json, directory: Path) -> Imported:
    """`directory`: where files lie that it names. Raises `Unfit`."""
    name = plain(document.get("description") or "promptfoo")
    made = Imported({"name": name or "promptfoo", "description": "Imported from promptfoo."})
    made.suite |= asked_of(document, made)
    prompts = list(_prompts(document.get("prompts"), directory, made))
    default = document.get("defaultTest") or {}
    if not isinstance(default, dict):
        made.left.append(f"defaultTest: {default!r} is not read; write it into the file.")
        default = {}
    tests = list(_tests(document.get("tests") or [{}], directory, made))
    if document.get("scenarios"):
        made.left.append("scenarios: write them as tests.")
    cases: list[Json] = []
    for (number, test), (place, prompt) in itertools.product(enumerate(tests), enumerate(prompts)):
        for case in _cases(test, default, prompt, (f"tests[{number}]", made)):
            called = case.pop("called") or f"test {number + 1}"
            several = f", prompt {place + 1}" if len(prompts) > 1 else ""
            cases.append({"id": plain(f"{len(cases) + 1}: {called}{several}"), **case})
    made.suite["cases"] = cases
    needs_judge(made, judges_of(default))
    made.left = list(dict.fromkeys(made.left))
    return made


# ---------------------------------------------------------------- prompts


def _prompts(given: Any, directory: Path, made: Imported) -> Iterator[Any]:
    """Texts, or messages."""
    for at, one in enumerate(given if isinstance(given, list) else [given]):
        said = one.get("raw") or one.get("id") or one.get("label") if isinstance(one, dict) else one
        if not isinstance(said, str):
            made.left.append(f"prompts[{at}]: neither a text nor a file.")
            continue
        path = Path(said.removeprefix(_FILE))
        if said.startswith(_FILE) or (path.suffix in _TEXTS and " " not in said):
            if path.suffix in (".js", ".ts", ".py", ".mjs"):
                made.left.append(f"prompts[{at}]: {said} is a program.")
                continue
            parts = _parts(_text(directory / path)) if path.suffix == ".txt" else [_text(directory / path)]
            yield from map(_messages, parts)
        else:
            yield _messages(said)


def _parts(text: str) -> list[str]:
    """A file of several prompts."""
    return regex.split(r"^---\s*$", text, flags=regex.MULTILINE)


def _messages(said: str) -> Any:
    """A chat as its messages; other texts as they are."""
    try:
        value = yaml.safe_load(said) if said.lstrip().startswith(("[", "- role")) else None
    except yaml.YAMLError:
        return said.strip()
    return (
        value
        if isinstance(value, list) and all(isinstance(one, dict) and "role" in one for one in value)
        else said.strip()
    )


# ---------------------------------------------------------------- tests


def _tests(given: Any, directory: Path, made: Imported) -> Iterator[Json]:
    for at, one in enumerate(given if isinstance(given, list) else [given]):
        if isinstance(one, str):
            yield from _from_file(directory / one.removeprefix(_FILE), made, at)
        else:
            yield one


def _from_file(path: Path, made: Imported, at: int) -> Iterator[Json]:
    text = _text(path)
    match path.suffix:
        case ".csv":
            yield from (_row(row) for row in csv.DictReader(io.StringIO(text, newline="")))
        case ".jsonl":
            yield from (json.loads(line) for line in text.split("\n") if line.strip())
        case ".json" | ".yaml" | ".yml":
            yield from yaml.safe_load(text)
        case other:
            made.left.append(f"tests[{at}]: files of tests that end in {other!r} are not read.")


def _row(row: dict[str, str]) -> Json:
    """Of a table: columns are variables, `__expected` is what must hold."""
    expected = [value for name, value in row.items() if name.startswith(_EXPECTED) and value]
    return {
        "vars": {name: value for name, value in row.items() if not name.startswith("__")},
        "assert": [_said(one) for one in expected],
        **({"description": row["__description"]} if row.get("__description") else {}),
        **({"threshold": float(row["__threshold"])} if row.get("__threshold") else {}),
    }


def _said(expected: str) -> Json:
    """`contains: Paris`, `levenshtein(3): Paris`, `is-json`; everything else is expected as it stands."""
    found = _SAID.fullmatch(expected.strip())
    if not found or found["kind"] not in KINDS:
        return {"type": "equals", "value": expected}
    limit = {"threshold": float(found["limit"])} if found["limit"] else {}
    value = {"value": found["value"].strip()} if found["value"] is not None else {}
    return {"type": (found["not"] or "") + found["kind"], **value, **limit}


_SAID = regex.compile(
    r"(?P<not>not-)?(?P<kind>[a-z]+(?:-[a-z]+)*)(?:\((?P<limit>[\d.]+)\))?(?::(?P<value>.*))?", regex.DOTALL
)


# ---------------------------------------------------------------- cases


def _cases(test: Json, default: Json, prompt: Any, told: tuple[str, Imported]) -> Iterator[Json]:
    """One for each combination of variables that are lists; `told`: where the test stands, and who is told."""
    place, made = told
    for name in _LOST:
        if name in test or name in (test.get("options") or {}):
            made.left.append(f"{place}.{name}: there is nothing like it in a suite.")
    variables = {**(default.get("vars") or {}), **(test.get("vars") or {})}
    lists = {name: value for name, value in variables.items() if isinstance(value, list)}
    asserted = [*(default.get("assert") or ()), *(test.get("assert") or ())]
    threshold = test.get("threshold", default.get("threshold"))
    for chosen in itertools.product(*lists.values()):
        item = _item({**variables, **dict(zip(lists, chosen, strict=True))}, prompt)
        said = [rendered(one, item) for one in asserted]
        graders = (grader_of(one, f"{place}.assert[{at}]", made) for at, one in enumerate(said))
        yield {
            "called": test.get("description") or "",
            "item": item,
            "input": named(prompt, item),
            "graders": [one for one in graders if one],
            **({"passing": "mean", "pass_from": threshold} if threshold is not None else {}),
        }


def _item(variables: Json, prompt: Any) -> Json:
    """Variables may name others; what a prompt names and nobody gives is empty, as promptfoo has it."""
    item = {name: rendered(value, variables) for name, value in variables.items()}
    item = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in item.items()}
    return {**dict.fromkeys(sorted(unnamed(prompt, item)), ""), **item}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unfit(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}.") from error
