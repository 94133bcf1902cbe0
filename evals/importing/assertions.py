"""An assertion of promptfoo → a grader, or a word on why there is none."""

import json
from collections.abc import Callable
from typing import Any

import regex

from evals.importing.found import Imported
from evals.templates import literal

Json = dict[str, Any]

_RUBRIC = "Grade the answer by this rubric: {}\n\nThe answer:\n{}\n\nSay 1 if it holds, else 0."
#: Stands for the answer's template until values are made literal.
_ANSWER = "\0answer\0"
#: Defaults of promptfoo.
_DISTANCE, _SIMILAR, _OVERLAP, _BLEU = 5, 0.75, 0.75, 0.5


def grader_of(said: Any, place: str, made: Imported) -> Json | None:
    """None where there is none; `made` is told why."""
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        made.left.append(f"{place}: an assertion has a type.")
        return None
    kind = _ALSO.get(said["type"].removeprefix("not-"), said["type"].removeprefix("not-"))
    written = _WRITTEN.get(kind)
    if written is None or "transform" in said:
        why = "it changes what is looked at" if written else _REASONS.get(kind, "there is no grader like it")
        made.left.append(f"{place}: {said['type']!r} is left out: {why}.")
        return None
    grader = written(said)
    if grader is None:
        made.left.append(f"{place}: {said['type']!r} is left out: its value is of no use here.")
        return None
    extra: Json = {"negate": True} if said["type"].startswith("not-") else {}
    if said.get("metric"):
        extra["name"] = str(said["metric"])
    return {**_as_said(grader), **extra, **({"weight": said["weight"]} if "weight" in said else {})}


def _as_said(grader: Json) -> Json:
    """Values are texts and no templates, but for the answer's."""
    return {
        key: _answered(literal(value)) if key in ("input", "reference", "values", "equals") else value
        for key, value in grader.items()
    }


def _answered(value: Any) -> Any:
    if isinstance(value, list):
        return [_answered(one) for one in value]
    if isinstance(value, dict):
        return {key: _answered(one) for key, one in value.items()}
    return value.replace(_ANSWER, "{{sample.output_text}}") if isinstance(value, str) else value


#: Short names that tables have.
_ALSO = {"grade": "llm-rubric", "eval": "javascript", "fn": "javascript"}
_REASONS = {
    "javascript": "it is a program",
    "python": "it is a program with promptfoo's own interface; write a grader `python`",
    "webhook": "it asks a server",
    "cost": "prices are not known; write a grader `budget` with input_price and output_price",
    "assert-set": "sets of assertions are not known; write their graders one by one",
}


def text_of(value: Any) -> str:
    """As JavaScript writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _values(said: Json) -> list[str]:
    given = said.get("value")
    if isinstance(given, list):
        return [text_of(one) for one in given]
    return [part.strip() for part in text_of(given).split(",")]


def _equals(said: Json) -> Json | None:
    value = said.get("value")
    if isinstance(value, dict | list):
        return {"type": "json_path", "path": "", "equals": value}
    return {"type": "string_check", "operation": "eq", "input": _ANSWER, "reference": text_of(value)}


def _contains(ignore_case: bool) -> Callable[[Json], Json]:
    return lambda said: {"type": "contains", "values": [text_of(said.get("value"))], "ignore_case": ignore_case}


def _several(ignore_case: bool, any: bool) -> Callable[[Json], Json]:
    return lambda said: {"type": "contains", "values": _values(said), "any": any, "ignore_case": ignore_case}


def _begins(said: Json) -> Json:
    return {"type": "regex", "pattern": f"\\A{regex.escape(text_of(said.get('value')))}"}


def _regex(said: Json) -> Json | None:
    try:
        regex.compile(str(said.get("value")))
    except regex.error:
        return None
    return {"type": "regex", "pattern": str(said["value"])}


def _is_json(said: Json) -> Json | None:
    schema = said.get("value") or {}
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            return None
    return {"type": "json_schema", "schema": schema}


def _similar(metric: str, least: float) -> Callable[[Json], Json]:
    def written(said: Json) -> Json:
        return {
            "type": "text_similarity",
            "evaluation_metric": metric,
            "input": _ANSWER,
            "reference": text_of(said.get("value")),
            "pass_threshold": float(said.get("threshold", least)),
        }

    return written


def _rubric(said: Json) -> Json:
    return {
        "type": "score_model",
        "input": [{"role": "user", "content": _RUBRIC.format(text_of(said.get("value")), _ANSWER)}],
        "range": [0, 1],
        "pass_threshold": float(said.get("threshold", 0.5)),
    }


def _latency(said: Json) -> Json | None:
    return {"type": "budget", "seconds": said["threshold"] / 1000} if "threshold" in said else None


def _distance(said: Json) -> Json:
    return {"type": "distance", "reference": text_of(said.get("value")), "at_most": said.get("threshold", _DISTANCE)}


_WRITTEN: dict[str, Callable[[Json], Json | None]] = {
    "equals": _equals,
    "contains": _contains(False),
    "icontains": _contains(True),
    "contains-all": _several(False, False),
    "contains-any": _several(False, True),
    "icontains-all": _several(True, False),
    "icontains-any": _several(True, True),
    "starts-with": _begins,
    "regex": _regex,
    "is-json": _is_json,
    "levenshtein": _distance,
    "similar": _similar("cosine", _SIMILAR),
    "rouge-n": _similar("rouge_1", _OVERLAP),
    "bleu": _similar("bleu", _BLEU),
    "llm-rubric": _rubric,
    "latency": _latency,
}
#: What may stand before the colon in a table; other words are part of what is expected.
KINDS = frozenset({
    *_WRITTEN, *_REASONS, *_ALSO, "contains-json", "rouge-s", "rouge-l", "meteor", "word-count", "is-xml", "is-sql",
    "is-html", "pi", "is-refusal", "perplexity", "perplexity-score", "factuality", "answer-relevance", "moderation",
    "model-graded-closedqa", "g-eval", "guardrails", "select-best", "classifier", "finish-reason", "context-recall",
    "context-relevance", "context-faithfulness",
})  # fmt: skip
