"""Results to report and compare: made up, in every way a run can end."""

import random
from collections.abc import Sequence
from typing import Any

from evals.graders.grading import Grade
from evals.results import Attempt, CaseResult, Figure, Held, RunResult
from evals.transcript import Made, Transcript, Usage

Json = dict[str, Any]
#: What a model might say to make a report run it.
HOSTILE = "</script ></title ><img src=x onerror='document.title=1'><script>document.title=2</script><!--{{told}}"


def said(text: str) -> Json:
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text}],
    }


def asked(text: str) -> Json:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


def called(name: str, arguments: str, output: str) -> Json:
    return {"type": "mcp_call", "server_label": "shop", "name": name, "arguments": arguments, "output": output}


def transcript(case: str, *turns: Sequence[Json], question: str = "What does it cost?") -> Transcript:
    """Each turn: its output items."""
    made = [
        Made(input=[asked(question)], responses=[{"status": "completed", "output": [*items]}], seconds=0.5)
        for items in turns
    ]
    return Transcript(case=case, turns=made)


def attempt(
    passed: bool, text: str = "42", *, epoch: int = 1, why: str = "", seconds: float = 1, tokens: int = 100
) -> Attempt:
    grades = [
        Grade(grader="exact", score=float(passed), passed=passed, why=why or ("" if passed else f"Found {text!r}.")),
        Grade(grader="budget", score=1, passed=True, why="Within the budget."),
    ]
    usage = Usage(input=tokens * 3 // 4, output=tokens - tokens * 3 // 4)
    return Attempt(
        epoch=epoch,
        passed=passed,
        score=(1 + passed) / 2,
        grades=grades,
        seconds=seconds,
        usage=usage,
        transcript=transcript("case", [said(text)]),
    )


def case(id: str, *passed: bool, tags: Sequence[str] = (), text: str = "42", **more: Any) -> CaseResult:
    attempts = [attempt(one, text, epoch=at + 1, **more) for at, one in enumerate(passed)]
    return CaseResult(id=id, tags=list(tags), attempts=attempts)


def run(*cases: CaseResult, **more: Any) -> RunResult:
    about: Json = {"run": "run-1", "suite": "shop", "model": "demo", "target": "http://127.0.0.1:8000/v1"}
    rate = sum(one.passed for one in cases) / len(cases) if cases else 0
    figure = Figure(value=rate, low=max(0, rate - 0.1), high=min(1, rate + 0.1))
    started = "2026-11-23T10:00:00+00:00"
    return RunResult.model_validate(
        {**about, "started_at": started, "seconds": 12.5, "cases": list(cases), "pass_rate": figure, **more}
    )


def every_way() -> RunResult:
    """Passed, failed, flaky, faulty and never asked; a model that wants to run scripts."""
    hostile = case("hostile", False, text=HOSTILE)
    hostile.attempts[0].grades[0].why = f"Found {HOSTILE} and \x00\x1b[31m in it."
    broken = case("broken", False)
    broken.attempts[0].fault = "The server answered 502 three times."
    return run(
        case("good", True, tags=["price"]),
        case("bad", False, tags=["price", "long"], text="41"),
        case("flaky", True, False, True),
        hostile,
        broken,
        CaseResult(id="unasked"),
        thresholds=[
            Held(name="pass_rate", wanted=0.9, reached=0.4, holds=False),
            Held(name="p95_seconds", wanted=9, reached=1, holds=True),
        ],
        pass_at={1: Figure(value=0.5, low=0.4, high=0.6), 3: Figure(value=0.8, low=0.7, high=0.9)},
        pass_all={1: Figure(value=0.5, low=0.4, high=0.6), 3: Figure(value=0.3, low=0.2, high=0.4)},
        complete=False,
    )


def large(count: int = 120, seed: int = 7) -> RunResult:
    """As many cases as one has to search in."""
    chance = random.Random(seed)
    tags = ("pricing", "returns", "multi-turn", "tools")
    cases = [_likely(at, tags, chance) for at in range(count)]
    return run(*cases)


def _likely(at: int, tags: Sequence[str], chance: random.Random) -> CaseResult:
    hard = 0.95 if at % 7 else 0.4
    more = {"seconds": chance.lognormvariate(0.6, 0.5), "tokens": int(chance.lognormvariate(6.5, 0.6))}
    passed = [chance.random() < hard for _ in range(3)]
    return case(f"{tags[at % 4]}/case-{at:03}", *passed, tags=[tags[at % 4]], **more)
