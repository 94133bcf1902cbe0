"""A case with what its suite gives to every one."""

from evals.suite.schema import Case, Suite
from evals.templates import filled


def whole(case: Case, suite: Suite) -> Case:
    """With the suite's defaults behind what it says itself, and its templates filled in. Raises `Unfit`."""
    given = suite.defaults
    asked = [
        turn.model_copy(
            update={"input": filled(turn.input, item=case.item), "request": filled(turn.request, item=case.item)}
        )
        for turn in case.asked
    ]
    return case.model_copy(
        update={
            "input": None,
            "turns": asked,
            "request": filled({**given.request, **case.request}, item=case.item),
            "files": [*given.files, *case.files],
            "mcp_servers": [*given.mcp_servers, *case.mcp_servers],
            "answers": filled({**given.answers, **case.answers}, item=case.item),
            "graders": [*given.graders, *case.graders],
            "expect": filled(case.expect, item=case.item),
        }
    )
