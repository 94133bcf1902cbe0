"""A case with what its suite gives to every one."""

from evals.suite.schema import Case, Suite
from evals.templates import filled


def whole(case: Case, suite: Suite, site: str = "") -> Case:
    """With the suite's defaults behind what it says itself, and its templates filled in. Raises `Unfit`."""
    given, names = suite.defaults, {"item": case.item, "site": site}
    asked = [
        turn.model_copy(update={"input": filled(turn.input, **names), "request": filled(turn.request, **names)})
        for turn in case.asked
    ]
    return case.model_copy(
        update={
            "input": None,
            "turns": asked,
            "request": filled({**given.request, **case.request}, **names),
            "files": [*given.files, *case.files],
            "mcp_servers": [*given.mcp_servers, *case.mcp_servers],
            "answers": filled({**given.answers, **case.answers}, **names),
            "graders": [*given.graders, *case.graders],
            "expect": filled(case.expect, **names),
        }
    )
