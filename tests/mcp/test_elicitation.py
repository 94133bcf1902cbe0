"""MCP servers that ask for values during a call: declined, unless whoever approved the call gave some that fit."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from nodes.mcp.attending import Attendant
from nodes.mcp.elicitation import fitting_of
from nodes.mcp.target import Program, Target
from tests import mcp_servers
from tests.contract import promise
from tests.mcp.approving import answer, decide, guarded, requests_of
from tests.mcp.test_session import sessions, text_of
from tests.mcp.told import told
from tests.upstream import Script, calls, says

Json = dict[str, Any]
ROOT = str(Path(__file__).parent.parent.parent)
PROGRAM = Target(program=Program(sys.executable, ("-m", "tests.mcp.asking_tools"), cwd=ROOT))
SEAT = {"type": "string", "maxLength": 3}


@promise("mcp.elicitation.declined")
def test_questions_of_a_server_are_declined(
    client: OpenAI, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    script.will(calls("book"), calls("lure"), says("No seat."))
    client.responses.create(model=model, input="q", tools=[asking.tool()])  # type: ignore[list-item]
    assert told(script) == ["decline", "decline"]


@promise("mcp.elicitation.values")
def test_values_of_an_approval_answer_a_question_once(
    client: OpenAI, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    script.will(calls("book", times=2), says("Booked."))
    asked = client.responses.create(model=model, input="q", tools=[guarded(asking)])
    yes: Any = answer(requests_of(asked)[0], values={"seat": "12a", "nights": 2, "card": "4111"})
    done = client.responses.create(model=model, input=[yes], tools=[guarded(asking)], previous_response_id=asked.id)
    assert done.output[0].to_dict()["output"] == "accept {'seat': '12a', 'nights': 2}, decline"


@promise("mcp.elicitation.values")
def test_values_given_at_the_endpoint_answer_a_question_too(
    client: OpenAI, http: httpx2.Client, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    script.will(calls("book"), says("Booked."))
    asked = client.responses.create(model=model, input="q", tools=[guarded(asking)])
    decide(http, requests_of(asked)[0], values={"seat": "12a"})
    done = client.responses.create(model=model, input=[], tools=[guarded(asking)], previous_response_id=asked.id)
    assert done.output[0].to_dict()["output"] == "accept {'seat': '12a', 'nights': 1}"


@promise("mcp.elicitation.values")
@pytest.mark.parametrize(("over", "wait_s", "others_wait_s"), [("http", 0.1, 0.4), ("stdio", 0.4, 0.1)])
async def test_values_are_told_to_no_other_call_and_no_other_question(
    over: str, wait_s: float, others_wait_s: float, asking: mcp_servers.Server
) -> None:
    target = Target(asking.url) if over == "http" else PROGRAM
    async with sessions() as opened:
        both = [
            opened.call(target, "book", {"wait_s": wait_s}, Attendant({"seat": "1c"})),
            opened.call(target, "book", {"wait_s": others_wait_s}),
        ]
        first, second = await asyncio.gather(*both)
        # Over a pipe nobody knows which call a question belongs to while two are under way.
        assert text_of(second) == "decline"
        assert text_of(first) == "accept {'seat': '1c', 'nights': 1}"
        stingy = Attendant({"seat": "1c"})
        assert text_of(await opened.call(target, "identify", {}, stingy)) == "decline"
        assert stingy.values == {"seat": "1c"}


FITTING: list[tuple[Json, Json]] = [
    ({"properties": {"seat": SEAT}, "required": ["seat"]}, {"seat": "12a"}),
    ({"properties": {"seat": {"type": "string", "maxLength": 2}}}, {}),
    ({"properties": {"seat": SEAT, "row": {"type": "integer"}}, "required": ["row"]}, {}),
    ({"properties": {"seat": {"type": "string", "enum": ["12a"]}}}, {"seat": "12a"}),
    ({"properties": {"seat": {"type": "string", "oneOf": [{"const": "1b", "title": "B"}]}}}, {}),
    ({"properties": {"meals": {"type": "array", "items": {"enum": ["soup", "tart"]}}}}, {"meals": ["soup"]}),
    ({"properties": {"meals": {"type": "array", "items": {"anyOf": [{"const": "tart"}]}}}}, {}),
    ({"properties": {"seat": {"$ref": "http://127.0.0.1:9/schema"}}}, {}),
    ({"properties": {"seat": {"type": "string", "pattern": "(a+)+$"}}}, {"seat": "12a"}),
    ({"properties": {"seat": {"type": "object"}}}, {}),
    ({"properties": {"seat": {"type": "string", "maxLength": "many"}}}, {}),
    ({"properties": {"seat": {"type": ["string", "null"]}}}, {}),
    ({"properties": {"seat": 7}}, {}),
    ({"properties": [], "required": 7}, {}),
    ({"properties": {"seat": SEAT}, "required": [["seat"], {}]}, {}),
    ({}, {}),
]


@promise("mcp.elicitation.values")
@pytest.mark.parametrize(("schema", "fitting"), FITTING)
def test_only_values_that_fit_are_told(schema: Json, fitting: Json) -> None:
    assert fitting_of(schema, {"seat": "12a", "meals": ["soup"]}) == fitting
