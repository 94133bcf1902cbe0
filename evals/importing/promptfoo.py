"""A promptfoo file → a suite: every prompt with every test, assertions as graders.

Source: promptfoo's documentation, "Configuration reference" and "Assertions & metrics" (read 2026-11-23).
"""

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import regex
import yaml
from jinja2 import Environment
from jinja2.exceptions import TemplateError

from evals.importing.assertions import grader_of
from evals.importing.found import Imported
from evals.unfit import Unfit

Json = dict[str, Any]

_FILE = "file://"
#: Expected values of a table's rows: `contains: Paris`, `Paris`.
_EXPECTED = "__expected"
#: Fields of a test that change verdicts and that have nothing here.
_LOST = ("provider", "providerOutput", "assertScoringFunction", "transform", "postprocess")


def is_one(document: Any) -> bool:
    return isinstance(document, dict) and "prompts" in document


def imported(document: Json, directory: Path) -> Imported:
    """`directory`: where files lie that it names. Raises `Unfit`."""
    made = Imported({"name": _name(document), "description": "Imported from promptfoo."})
    prompts = list(_prompts(document.get("prompts"), directory, made))
    default: Json = document.get("defaultTest") or {}
    tests = list(_tests(document.get("tests") or [{}], directory, made))
    if document.get("providers"):
        made.left.append("providers: the suite's `target` names one server and model; --model names others.")
    if document.get("scenarios"):
        made.left.append("scenarios: write them as tests.")
    cases: list[Json] = []
    for (number, test), (place, prompt) in itertools.product(enumerate(tests), enumerate(prompts)):
        for case in _cases(test, default, prompt, f"tests[{number}]", made):
            called = case.pop("called") or f"test {number + 1}"
            several = f", prompt {place + 1}" if len(prompts) > 1 else ""
            cases.append({"id": f"{len(cases) + 1}: {called}{several}", **case})
    made.suite["cases"] = cases
    return made


def _name(document: Json) -> str:
    said = str(document.get("description") or "promptfoo")
    return "".join(char if char.isalnum() or char in "_.:/@+ -" else "-" for char in said)[:100] or "promptfoo"


# ---------------------------------------------------------------- prompts


def _prompts(given: Any, directory: Path, made: Imported) -> Iterator[Any]:
    """Texts, or messages."""
    for at, one in enumerate(given if isinstance(given, list) else [given]):
        said = one.get("raw") or one.get("id") or one.get("label") if isinstance(one, dict) else one
        if not isinstance(said, str):
            made.left.append(f"prompts[{at}]: neither a text nor a file.")
            continue
        path = Path(said.removeprefix(_FILE))
        if said.startswith(_FILE) or (path.suffix in (".txt", ".json", ".yaml", ".md") and "\n" not in said):
            if path.suffix in (".js", ".ts", ".py", ".mjs"):
                made.left.append(f"prompts[{at}]: {said} is a program.")
                continue
            said = _text(directory / path)
        yield from (_messages(part) for part in regex.split(r"^---\s*$", said, flags=regex.MULTILINE))


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
            yield from (_row(row) for row in csv.DictReader(text.splitlines()))
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
    kind, colon, value = expected.partition(":")
    if colon and regex.fullmatch(r"(not-)?[a-z]+(-[a-z]+)*(\(.*\))?", kind.strip()):
        name, _, limit = kind.strip().partition("(")
        return {"type": name, "value": value.strip(), **({"threshold": float(limit[:-1])} if limit else {})}
    return {"type": "equals", "value": expected}


def _cases(test: Json, default: Json, prompt: Any, place: str, made: Imported) -> Iterator[Json]:
    """One for each combination of variables that are lists."""
    for name in _LOST:
        if name in test or name in (test.get("options") or {}):
            made.left.append(f"{place}.{name}: there is nothing like it in a suite.")
    variables = {**(default.get("vars") or {}), **(test.get("vars") or {})}
    lists = {name: value for name, value in variables.items() if isinstance(value, list)}
    asserted = [*(default.get("assert") or ()), *(test.get("assert") or ())]
    graders = [one for at, said in enumerate(asserted) if (one := grader_of(said, f"{place}.assert[{at}]", made))]
    threshold = test.get("threshold", default.get("threshold"))
    for chosen in itertools.product(*lists.values()):
        item = {**variables, **dict(zip(lists, chosen, strict=True))}
        yield {
            "called": test.get("description") or "",
            "item": item,
            "input": _named(prompt, item),
            "graders": [_named(one, item) for one in graders],
            **({"passing": "mean", "pass_from": threshold} if threshold is not None else {}),
        }


# ---------------------------------------------------------------- templates


def _named(value: Any, item: Json) -> Any:
    """With `{{x}}` said as `{{item.x}}`, for the variables there are."""
    if isinstance(value, list):
        return [_named(one, item) for one in value]
    if isinstance(value, dict):
        return {key: _named(one, item) for key, one in value.items()}
    return _template(value, item) if isinstance(value, str) and "{{" in value else value


def _template(text: str, item: Json) -> str:
    said, before = list[str](), ""
    try:
        for _, kind, token in Environment(autoescape=True, keep_trailing_newline=True).lex(text):
            said.append(f"item.{token}" if kind == "name" and token in item and before != "." else token)
            before = before if kind == "whitespace" else token
    except TemplateError as error:
        raise Unfit(f"The template {text[:80]!r} cannot be read: {error.message}.") from error
    return "".join(said)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unfit(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}.") from error
