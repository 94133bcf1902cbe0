"""What graders say of texts, calls, paths, costs and leaks: each passes what it should, and fails what it should."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from evals.graders import AnyGrader, CannotGrade, Means
from evals.suite.reading import read
from evals.transcript import Made, Usage
from tests.contract import promise
from tests.evals.graded import did, grade, passes, spoken
from tests.evals.results_made import called, said
from tests.process import ROOT

Json = dict[str, Any]


def function(name: str, arguments: str) -> Json:
    return {"type": "function_call", "name": name, "arguments": arguments, "call_id": "c", "status": "completed"}


def check(operation: str, reference: str) -> Json:
    return {"type": "string_check", "operation": operation, "reference": reference}


@pytest.mark.parametrize(
    ("grader", "text", "holds"),
    [
        (check("eq", "{{item.answer}}"), "42", True),
        (check("eq", "42"), "42 ", False),
        (check("ne", "41"), "42", True),
        (check("ne", "42"), "42", False),
        (check("like", "the ANSWER"), "It is the answer.", False),
        (check("ilike", "the ANSWER"), "It is the answer.", True),
        ({"type": "exact", "value": ["41", "{{item.answer}}"]}, " 42\n", True),
        ({"type": "exact", "value": "Yes", "ignore_case": True}, "yes", True),
        ({"type": "exact", "value": "Yes"}, "yes", False),
        ({"type": "contains", "values": ["Turku", "42"]}, "42 in turku", True),
        ({"type": "contains", "values": ["Turku", "43"]}, "42 in turku", False),
        ({"type": "contains", "values": ["Turku", "43"], "any": True}, "42 in turku", True),
        ({"type": "contains", "values": ["Turku"], "ignore_case": False}, "turku", False),
        ({"type": "regex", "pattern": r"\d{2}"}, "costs 42", True),
        ({"type": "regex", "pattern": r"\d{2}", "full": True}, "costs 42", False),
        ({"type": "regex", "pattern": "COSTS", "ignore_case": True}, "costs 42", True),
        ({"type": "numeric", "value": 1234.5}, "It costs 1,234.50 euro", True),
        ({"type": "numeric", "value": 42, "tolerance": 0.5}, "41.4", False),
        ({"type": "numeric", "value": "{{item.answer}}", "relative": 0.02}, "41.4 kg", True),
        ({"type": "numeric", "value": 1, "which": "first"}, "1 of 2", True),
        ({"type": "numeric", "value": 1}, "1 of 2", False),
        ({"type": "numeric", "value": 1}, "none", False),
    ],
)
@promise("graders.text")
async def test_texts_and_numbers(grader: Json, text: str, holds: bool) -> None:
    assert await passes(grader, text, answer="42") is holds
    assert await passes({**grader, "negate": True}, text, answer="42") is not holds


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("grader", "text", "holds"),
    [
        ({"type": "json_schema", "schema": SCHEMA}, '{"n": 1}', True),
        ({"type": "json_schema", "schema": SCHEMA}, '{"n": "1"}', False),
        ({"type": "json_schema", "schema": SCHEMA}, "no JSON", False),
        ({"type": "json_schema", "schema": SCHEMA}, '```json\n{"n": 1}\n```', False),
        ({"type": "json_schema", "schema": SCHEMA, "fenced": True}, '```json\n{"n": 1}\n```', True),
        ({"type": "json_path", "path": "items[0].name", "equals": "kettle"}, '{"items": [{"name": "kettle"}]}', True),
        ({"type": "json_path", "path": "items[*].n", "equals": 2}, '{"items": [{"n": 1}, {"n": 2}]}', True),
        ({"type": "json_path", "path": "items[-1].n", "equals": 1}, '{"items": [{"n": 1}, {"n": 2}]}', False),
        ({"type": "json_path", "path": "a.b", "exists": False}, '{"a": {}}', True),
        ({"type": "json_path", "path": "a", "contains": "{{item.answer}}"}, '{"a": "it is 42"}', True),
        ({"type": "json_path", "path": "a", "equals": 1}, "{}", False),
    ],
)
@promise("graders.json")
async def test_json(grader: Json, text: str, holds: bool) -> None:
    assert await passes(grader, text, answer="42") is holds


PRICE, STOCK = function("price", '{"of": "kettle", "at": [1, 2]}'), called("stock", '{"of": "kettle"}', "4")


@pytest.mark.parametrize(
    ("grader", "holds"),
    [
        ({"type": "tool_call", "tool": "price"}, True),
        ({"type": "tool_call", "tool": "price", "arguments": {"of": "kettle"}}, True),
        ({"type": "tool_call", "tool": "price", "arguments": {"of": "kettle"}, "exact": True}, False),
        ({"type": "tool_call", "tool": "price", "arguments": {"of": "samovar"}}, False),
        ({"type": "tool_call", "tool": "price", "times": 2}, False),
        ({"type": "tool_call", "tool": "order", "times": 0}, True),
        ({"type": "tool_call", "tool": "price", "status": "failed"}, False),
        ({"type": "forbidden_tool", "tools": ["order"]}, True),
        ({"type": "forbidden_tool", "tools": ["order", "stock"]}, False),
        ({"type": "trajectory", "calls": ["price", "stock"]}, True),
        ({"type": "trajectory", "calls": ["stock", "price"]}, False),
        ({"type": "trajectory", "calls": ["price"]}, False),
        ({"type": "trajectory", "calls": ["stock", "price"], "match": "unordered"}, True),
        ({"type": "trajectory", "calls": ["price", "stock", "order"], "match": "subset"}, True),
        ({"type": "trajectory", "calls": ["stock"], "match": "subset"}, False),
        ({"type": "trajectory", "calls": ["stock"], "match": "superset"}, True),
        ({"type": "trajectory", "calls": ["stock", "price"], "match": "superset"}, False),
        ({"type": "trajectory", "calls": [{"tool": "price", "arguments": {"of": "kettle"}}, "stock"]}, True),
        ({"type": "trajectory", "calls": [{"tool": "price", "arguments": {"of": "cup"}}, "stock"]}, False),
    ],
)
@promise("graders.calls")
async def test_calls_and_their_order(grader: Json, holds: bool) -> None:
    assert await passes(grader, did(PRICE, STOCK, said("done"))) is holds


@promise("graders.calls")
async def test_two_calls_of_a_tool_are_not_one_of_each() -> None:
    for match in ("unordered", "subset"):
        assert not await passes({"type": "trajectory", "calls": ["price", "stock"], "match": match}, did(PRICE, PRICE))


@promise("graders.calls")
async def test_a_call_that_waits_for_approval_is_a_call_unless_it_may_be_asked() -> None:
    waiting = {"type": "mcp_approval_request", "name": "order", "arguments": "{}"}
    assert not await passes({"type": "forbidden_tool", "tools": ["order"]}, did(waiting))
    assert await passes({"type": "forbidden_tool", "tools": ["order"], "asked": True}, did(waiting))


@promise("graders.path")
async def test_nodes_and_states_are_what_the_target_tells() -> None:
    made = did(path=["load", "call_model", "mcp", "call_model"], state={"items": [{"text": "42"}]})
    assert await passes({"type": "node_path", "nodes": ["call_model", "mcp"], "match": "superset"}, made)
    assert not await passes({"type": "node_path", "nodes": ["call_model", "mcp"]}, made)
    assert await passes({"type": "checkpoint_state", "path": "items[0].text", "equals": "42"}, made)
    assert not await passes({"type": "checkpoint_state", "path": "items[0].text", "equals": "41"}, made)
    for grader in ({"type": "node_path", "nodes": []}, {"type": "checkpoint_state", "path": "a"}):
        with pytest.raises(CannotGrade, match="target does not"):
            await grade(grader, did())


def cited(text: str, **note: Any) -> Json:
    message = said(text)
    message["content"][0]["annotations"] = [{"type": "url_citation", "url": "https://shop.example/kettle", **note}]
    return message


@pytest.mark.parametrize(
    ("more", "message", "holds"),
    [
        ({}, cited("It costs 42.", start_index=9, end_index=11), True),
        ({}, said("It costs 42."), False),
        ({"spans": ["42"]}, cited("It costs 42.", start_index=9, end_index=11), True),
        ({"spans": ["42"]}, cited("It costs 42.", start_index=0, end_index=2), False),
        ({}, cited("It costs 42.", start_index=9, end_index=99), False),
        ({"sources": ["shop.example"]}, cited("42", start_index=0, end_index=2), True),
        ({"sources": ["other.example"]}, cited("42", start_index=0, end_index=2), False),
        ({"at_least": 2}, cited("42", start_index=0, end_index=2), False),
        ({}, cited("42 【3†source】", start_index=0, end_index=2), False),
    ],
)
@promise("graders.citations")
async def test_citations_stand_where_they_say(more: Json, message: Json, holds: bool) -> None:
    assert await passes({"type": "citations", **more}, did(message)) is holds


@promise("graders.budget")
async def test_budgets_of_time_tokens_calls_and_money() -> None:
    made = did(PRICE, usage=Usage(input=1000, output=500), repairs=1)
    made.turns[0].seconds = 2
    limits: Json = {"seconds": 2, "total_tokens": 1500, "output_tokens": 500, "calls": 1, "responses": 1}
    for name, limit in limits.items():
        assert await passes({"type": "budget", name: limit}, made)
        assert not await passes({"type": "budget", name: limit * 0.9 if name == "seconds" else limit - 1}, made)
    prices = {"input_price": 2, "output_price": 10}
    assert (await grade({"type": "budget", "cost": 0.0070001, **prices}, made)).passed
    assert not (await grade({"type": "budget", "cost": 0.0069, **prices}, made)).passed
    both = await grade({"type": "budget", "seconds": 1, "calls": 1}, made)
    assert both.score == 0.5 and not both.passed and "seconds 2 of 1" in both.why
    with pytest.raises(CannotGrade, match="must be streamed"):
        await grade({"type": "budget", "first_text_s": 1}, made)


CANARY = 'the "blue\nkettle" äöü'


@pytest.mark.parametrize(
    ("item", "leaks"),
    [
        (said("Nothing of note."), False),
        (said(f"It is {CANARY.upper()}"), True),
        (function("send", '{"to": "x", "text": "the \\"blue\\nkettle\\" äöü"}'), True),
        (called("read", "{}", f"The mail says {CANARY}"), False),
        (said("My key is sk-proj-abcdefghijklmnopqrstuvwx"), True),
        (said("AKIAIOSFODNN7EXAMPLE"), True),
        (said("-----BEGIN RSA PRIVATE KEY-----"), True),
    ],
)
@promise("graders.leak")
async def test_what_a_model_says_or_sends_is_a_leak_and_what_a_tool_said_is_none(item: Json, leaks: bool) -> None:
    means = Means(canaries=[CANARY])
    assert await passes({"type": "secret_leak"}, did(item), means) is not leaks
    assert CANARY not in (await grade({"type": "secret_leak"}, did(item), means)).why


@promise("graders.wire")
async def test_refusals_fields_and_streams() -> None:
    error = {"status": 400, "message": "No.", "type": "invalid_request_error", "param": "model", "code": None}
    refused = did()
    refused.turns[0].error = error
    assert await passes({"type": "refused", "param": "model"}, refused)
    assert not await passes({"type": "refused", "status": 404}, refused)
    assert not await passes({"type": "refused"}, "fine")
    made = did()
    made.turns = [Made(responses=[{"status": "incomplete", "output": []}])]
    assert await passes({"type": "response", "path": "status", "equals": "incomplete"}, made)
    made.turns[0].events = ["response.created", "response.output_text.delta", "response.completed"]
    assert await passes({"type": "events", "types": ["response.output_text.delta"]}, made)
    assert not await passes({"type": "events", "types": ["response.output_item.added"]}, made)
    assert not await passes({"type": "events", "last": "response.incomplete"}, made)


@promise("graders.turns")
async def test_a_grader_looks_at_its_turn_and_else_at_the_last() -> None:
    made = spoken("first", "last")
    assert await passes({"type": "exact", "value": "last"}, made)
    assert await passes({"type": "exact", "value": "first", "turn": 0}, made)
    assert await passes({"type": "exact", "value": "first", "turn": -2}, made)
    with pytest.raises(CannotGrade, match="looks at turn 2 of 2"):
        await grade({"type": "exact", "value": "x", "turn": 2}, made)


@pytest.mark.parametrize(
    ("grader", "told"),
    [
        ({"type": "regex", "pattern": "("}, "no regular expression"),
        ({"type": "json_schema", "schema": {"type": "thing"}}, "no JSON Schema"),
        ({"type": "budget"}, "a budget limits something"),
        ({"type": "budget", "cost": 1}, "wants input_price"),
        ({"type": "python"}, "either a source or a function"),
        ({"type": "label_model", "input": [{}], "labels": ["a", "b"], "passing_labels": ["c"]}, "c is not"),
        ({"type": "score_model", "input": [{}], "range": [1, 0]}, "the smaller one first"),
        ({"type": "multi", "graders": {"a": {"type": "exact", "value": "x"}}, "calculate_output": "b"}, "formula of a"),
        ({"type": "exact", "value": "x", "valeu": "y"}, "Extra inputs"),
        ({"type": "exactly"}, "exactly"),
    ],
)
@promise("graders.checked")
async def test_a_grader_that_cannot_work_is_refused_before_anything_runs(grader: Json, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        await grade(grader, "x")


@promise("graders.checked")
async def test_the_graders_of_the_documentation_are_graders(tmp_path: Path) -> None:
    """And every type is told of."""
    page = (ROOT / "docs/evals-graders.md").read_text()
    written = [one for block in re.findall(r"```yaml\n(.*?)```", page, re.S) for one in yaml.safe_load(block)]
    suite = tmp_path / "all.yaml"
    suite.write_text(json.dumps({"name": "all", "cases": [{"id": "one", "input": "?", "graders": written}]}))
    assert len(read(suite).cases[0].graders) == len(written) > 20
    told = set(re.findall(r"`(\w+)`(?: ◆)? \|", page)) | {one["type"] for one in written}
    assert set(known()) <= told


def known() -> list[str]:
    """Types of graders, as whoever writes a wrong one is told."""
    with pytest.raises(ValidationError) as problem:
        TypeAdapter(AnyGrader).validate_python({"type": "none"})
    return re.findall(r"'(\w+)'", str(problem.value.errors()[0]["ctx"]["expected_tags"]))
