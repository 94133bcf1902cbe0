"""What a case says to what a model asks of its client: results of functions, decisions about approvals."""

import json
from collections import Counter
from typing import Any

from evals.suite.schema import Case

Json = dict[str, Any]

#: An answer for all arguments that have none of their own.
_ANY = "*"
#: Item types of calls the client answers → of what answers them, and the field of what they were called with.
_CALLS = {
    "function_call": ("function_call_output", "arguments"),
    "custom_tool_call": ("custom_tool_call_output", "input"),
}
_ANSWERS = tuple(answer for answer, _ in _CALLS.values())


class Replies:
    """Of one attempt: functions that answer one thing after another know how often they were called."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._called = Counter[str]()

    def to(self, output: list[Json]) -> list[Json]:
        """Input items; empty where nothing is asked, or something is left to nobody."""
        answered = {item["call_id"] for item in output if item.get("type") in _ANSWERS}
        asked = [item for item in output if self._asks(item) and item.get("call_id") not in answered]
        said = [self._reply(item) for item in asked]
        return [] if None in said else [item for item in said if item is not None]

    def _asks(self, item: Json) -> bool:
        return item.get("type") in (*_CALLS, "mcp_approval_request")

    def _reply(self, item: Json) -> Json | None:
        if item["type"] == "mcp_approval_request":
            decided = self._decision(item["name"])
            approval = {"approval_request_id": item["id"], "approve": decided == "approve"}
            return None if decided == "leave" else {"type": "mcp_approval_response", **approval}
        kind, field = _CALLS[item["type"]]
        answer = self._answer(item["name"], item[field])
        return None if answer is None else {"type": kind, "call_id": item["call_id"], "output": answer}

    def _answer(self, name: str, arguments: str) -> str | None:
        answer: Any = self._case.answers.get(name)
        counted = name
        if isinstance(answer, dict):
            fitting = next((asked for asked in answer if _same(asked, arguments)), _ANY)
            answer, counted = answer.get(fitting), f"{name} {fitting}"
        if isinstance(answer, list):
            self._called[counted] += 1
            answer = answer[min(self._called[counted], len(answer)) - 1] if answer else None
        return answer if answer is None or isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)

    def _decision(self, name: str) -> str:
        said = self._case.approvals
        return said if isinstance(said, str) else said.get(name, "leave")


def _same(asked: str, arguments: str) -> bool:
    try:
        return bool(json.loads(asked) == json.loads(arguments or "{}"))
    except ValueError:
        return asked == arguments
