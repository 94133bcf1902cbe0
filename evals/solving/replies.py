"""What a case says to what a model asks of its client: results of calls, decisions about approvals."""

import json
import shlex
from collections import Counter
from collections.abc import Callable
from typing import Any

from evals.suite.schema import Case

Json = dict[str, Any]

#: An answer for all arguments that have none of their own.
_ANY = "*"
_FUNCTIONS = ("function_call", "custom_tool_call")
#: Calls the client answers → what an answer is that is a text. `…_call` is answered by `…_call_output`.
_TEXTS: dict[str, Callable[[str], Json]] = {
    "function_call": lambda text: {"output": text},
    "custom_tool_call": lambda text: {"output": text},
    "shell_call": lambda text: {
        "output": [{"stdout": text, "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    },
    "local_shell_call": lambda text: {"output": text},
    "apply_patch_call": lambda text: {"status": "completed", "output": text},
    "computer_call": lambda text: {"output": {"type": "computer_screenshot", "image_url": text}},
}


class Replies:
    """Of one attempt: tools that answer one thing after another know how often they were called."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._called = Counter[str]()

    def to(self, output: list[Json]) -> list[Json]:
        """Input items; empty where nothing is asked, or something is left to nobody."""
        answered = {item.get("call_id") for item in output if item.get("type", "").endswith("_output")}
        asked = [item for item in output if self._asks(item) and item.get("call_id") not in answered]
        said = [self._reply(item) for item in asked]
        return [] if None in said else [item for item in said if item is not None]

    def _asks(self, item: Json) -> bool:
        kind = item.get("type", "")
        # Calls of tools that some servers run themselves are the client's where the case answers them.
        ours = kind in _TEXTS and (kind in _FUNCTIONS or kind.removesuffix("_call") in self._case.answers)
        return ours or kind == "mcp_approval_request"

    def _reply(self, item: Json) -> Json | None:
        kind: str = item["type"]
        if kind == "mcp_approval_request":
            decided = self._decision(item["name"])
            approval = {"approval_request_id": item["id"], "approve": decided == "approve"}
            return None if decided == "leave" else {"type": "mcp_approval_response", **approval}
        answer = self._answer(*_asked(item))
        if answer is None:
            return None
        if isinstance(answer, str) or kind in _FUNCTIONS:
            answer = _TEXTS[kind](answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))
        bound = "id" if kind == "local_shell_call" else "call_id"
        return {"type": f"{kind}_output", bound: item["call_id"], **answer}

    def _answer(self, name: str, arguments: str) -> Any:
        answer: Any = self._case.answers.get(name)
        counted = name
        if isinstance(answer, dict):
            fitting = next((asked for asked in answer if _same(asked, arguments)), _ANY)
            answer, counted = answer.get(fitting), f"{name} {fitting}"
        if isinstance(answer, list):
            self._called[counted] += 1
            answer = answer[min(self._called[counted], len(answer)) - 1] if answer else None
        return answer

    def _decision(self, name: str) -> str:
        said = self._case.approvals
        return said if isinstance(said, str) else said.get(name, "leave")


def _asked(item: Json) -> tuple[str, str]:
    """The tool, and what it is called with, as `answers` name it."""
    match item["type"]:
        case "custom_tool_call":
            return item["name"], item["input"]
        case "shell_call":
            return "shell", "\n".join(item["action"]["commands"])
        case "local_shell_call":
            return "local_shell", shlex.join(item["action"]["command"])
        case "apply_patch_call":
            return "apply_patch", item["operation"]["path"]
        case "computer_call":
            return "computer", json.dumps(item.get("actions") or item.get("action"))
        case _:
            return item["name"], item["arguments"]


def _same(asked: str, arguments: str) -> bool:
    try:
        return bool(json.loads(asked) == json.loads(arguments or "{}"))
    except ValueError:
        return asked == arguments
