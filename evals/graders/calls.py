"""Graders of what a model has called, and of the way a run took."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.looking import Called, calls, cut
from evals.graders.structured import Place
from evals.templates import filled
from evals.transcript import Transcript

Json = dict[str, Any]
Match = Literal["strict", "unordered", "subset", "superset"]


class ToolCall(Grader):
    """The tool `name` was called, with these arguments: all of them (`exact`), or at least these."""

    type: Literal["tool_call"]
    #: Of the tool; hosted ones without functions are called by their type, as `web_search`.
    tool: str
    arguments: Json | None = None
    exact: bool = False
    #: How often it must have been called; None for at least once.
    times: int | None = Field(default=None, ge=0)
    #: How the call ended, as its item says: `completed`, `failed`.
    status: str | None = None

    async def grade(self, made: Transcript, means: Means) -> Grade:
        wanted = filled(self.arguments, item=means.item)
        named = [one for one in calls(self, made) if one.name == self.tool]
        fitting = [one for one in named if self._fits(one, wanted)]
        holds = bool(fitting) if self.times is None else len(fitting) == self.times
        return self.given(float(holds), holds, self._why(named, fitting, wanted))

    def _fits(self, call: Called, wanted: Json | None) -> bool:
        if self.status is not None and call.item.get("status") != self.status:
            return False
        if wanted is None:
            return True
        return call.arguments == wanted if self.exact else holds_all(call.arguments, wanted)

    def _why(self, named: list[Called], fitting: list[Called], wanted: Json | None) -> str:
        asked = "" if wanted is None else f" with {cut(wanted)}"
        seen = "; ".join(cut(one.arguments) for one in named[:5]) or "it was not called"
        return f"{self.tool}{asked} was called {len(fitting)} times ({seen})."


class ForbiddenTool(Grader):
    """None of `tools` was called; a call that waits for an approval counts, unless `asked` may be."""

    type: Literal["forbidden_tool"]
    tools: list[str] = Field(min_length=1)
    asked: bool = False

    async def grade(self, made: Transcript, means: Means) -> Grade:
        waiting = "mcp_approval_request"
        found = [
            one
            for one in calls(self, made)
            if one.name in self.tools and not (self.asked and one.item["type"] == waiting)
        ]
        why = f"{found[0].name} was called with {cut(found[0].arguments)}." if found else "None was called."
        return self.given(float(not found), not found, why)


class Trajectory(Grader):
    """The tools that were called, in order.

    `strict`: these and no others, in this order; `unordered`: these and no others; `subset`: no others than these;
    `superset`: at least these, in this order. An entry is a tool's name, or `{tool, arguments}`.
    """

    type: Literal["trajectory"]
    calls: list[str | Json]
    match: Match = "strict"

    async def grade(self, made: Transcript, means: Means) -> Grade:
        found, wanted = calls(self, made), filled(self.calls, item=means.item)
        holds = _matches(found, wanted, self.match)
        part = _common(found, wanted) / max(len(wanted), len(found), 1)
        why = f"Called: {', '.join(one.name for one in found) or 'nothing'}; wanted ({self.match}): "
        why += ", ".join(_name(one) for one in wanted) or "nothing"
        return self.given(1.0 if holds else min(part, 0.99), holds, why + ".")


class NodePath(Grader):
    """The nodes of the graph that ran, in order; as in `trajectory`."""

    wants_recording: ClassVar[bool] = True

    type: Literal["node_path"]
    nodes: list[str]
    match: Match = "strict"

    async def grade(self, made: Transcript, means: Means) -> Grade:
        if made.path is None:
            raise CannotGrade(f"{self.called!r} wants to know which nodes ran; this target does not tell.")
        found = [Called(name, None, {}) for name in made.path]
        holds = _matches(found, self.nodes, self.match)
        return self.given(float(holds), holds, f"Ran: {', '.join(made.path)}; wanted: {', '.join(self.nodes)}.")


class CheckpointState(Place):
    """What stands at `path` of the state the last turn's checkpoint holds; see `json_path`."""

    wants_recording: ClassVar[bool] = True

    type: Literal["checkpoint_state"]

    async def grade(self, made: Transcript, means: Means) -> Grade:
        if made.state is None:
            raise CannotGrade(f"{self.called!r} wants to look at the state; this target does not show it.")
        return self.compared(made.state, means)


def holds_all(found: Any, wanted: Any) -> bool:
    """Whether everything of `wanted` is in `found`; objects may have more fields."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds_all(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(holds_all(a, b) for a, b in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


def _name(wanted: str | Json) -> str:
    return wanted if isinstance(wanted, str) else str(wanted.get("tool"))


def _is(call: Called, wanted: str | Json) -> bool:
    arguments = None if isinstance(wanted, str) else wanted.get("arguments")
    return call.name == _name(wanted) and (arguments is None or holds_all(call.arguments, arguments))


def _matches(found: list[Called], wanted: list[Any], match: Match) -> bool:
    match match:
        case "strict":
            return len(found) == len(wanted) and all(_is(a, b) for a, b in zip(found, wanted, strict=True))
        case "unordered":
            return len(found) == len(wanted) and _paired(found, wanted) == len(wanted)
        case "subset":
            return _paired(found, wanted) == len(found)
        case "superset":
            return _common(found, wanted) == len(wanted)


def _paired(found: list[Called], wanted: list[Any]) -> int:
    """How many calls have a partner of their own; the pickiest choose first."""
    left = sorted(wanted, key=lambda one: isinstance(one, str))
    count = 0
    for call in found:
        partner = next((one for one in left if _is(call, one)), None)
        if partner is not None:
            left.remove(partner)
            count += 1
    return count


def _common(found: list[Called], wanted: list[Any]) -> int:
    """How many of `wanted` come one behind the other."""
    at = 0
    for call in found:
        if at < len(wanted) and _is(call, wanted[at]):
            at += 1
    return at
