"""Graders that measure, ask a model, run a program, or put others together."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from evals.graders import CannotGrade, Means
from evals.graders.similarity import measured
from evals.running.grading import Judge
from tests.contract import promise
from tests.evals.graded import grade, passes, spoken
from tests.process import Server
from tests.upstream import Ask, Script, Step, Upstream, says

Json = dict[str, Any]
CAT, SAT = "the cat is on the mat", "the cat sat on the mat"


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        ("rouge_1", 5 / 6),  # five of six words on both sides
        ("rouge_2", 3 / 5),  # "the cat", "on the", "the mat"
        ("rouge_3", 1 / 4),  # "on the mat"
        ("rouge_4", 0),
        ("rouge_l", 5 / 6),
        ("fuzzy_match", 2 * 20 / (22 + 21)),  # signs that stand in both, in order
        ("bleu", (5 / 6 * 3 / 5 * 1 / 4 * 0.1 / 3) ** 0.25),  # of four words in a row nothing fits: .1 of 3
        ("gleu", 9 / 18),  # of 6 + 5 + 4 + 3 rows of words
    ],
)
@promise("graders.similarity")
def test_metrics_are_what_is_counted_by_hand(metric: str, wanted: float) -> None:
    assert measured(metric, SAT, CAT) == pytest.approx(wanted, abs=0.001)


@promise("graders.similarity")
def test_words_of_one_stem_are_like_each_other_for_meteor() -> None:
    assert measured("meteor", "two cats", "two cat") > measured("meteor", "two dogs", "two cat") > 0


@pytest.mark.parametrize("metric", ["fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_5", "rouge_l"])
@promise("graders.similarity")
def test_every_metric_is_1_for_the_same_and_0_for_nothing(metric: str) -> None:
    assert measured(metric, CAT, CAT) == measured(metric, "", "") == 1
    assert measured(metric, "", CAT) == measured(metric, CAT, "") == 0


@promise("graders.similarity")
async def test_similarity_and_distance_are_held_to_their_limits() -> None:
    like = {"type": "text_similarity", "reference": "{{item.answer}}", "evaluation_metric": "rouge_1"}
    assert await passes({**like, "pass_threshold": 0.83}, SAT, answer=CAT)
    assert not await passes({**like, "pass_threshold": 0.84}, SAT, answer=CAT)
    assert await passes({"type": "distance", "reference": "kitten", "at_most": 3}, "sitting")
    assert not await passes({"type": "distance", "reference": "kitten", "at_most": 2}, "sitting")


@promise("graders.python")
async def test_a_function_of_the_suite_grades_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = "def grade(sample, item):\n    print('noise')\n    return len(sample['output_text']) / item['most']"
    grader = {"type": "python", "source": source}
    assert await passes(grader, "12345", most=10) and not await passes(grader, "1234", most=10)
    whether = {
        "type": "python",
        "source": "def grade(sample, item):\n    return sample['output_text'] in item['known']",
    }
    assert await passes(whether, "a", known=["a"]) and not await passes(whether, "b", known=["a"])
    (tmp_path / "own.py").write_text("def turns(sample, item):\n    return len(sample['transcript']['turns'])")
    own = {"type": "python", "function": "own:turns", "pass_threshold": 2}
    means = Means(directory=str(tmp_path))
    assert (await grade(own, spoken("a", "b"), means)).passed and not (await grade(own, "a", means)).passed


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("return 'good'", "'good' instead of a number"),
        ("import time; time.sleep(9)", "takes longer than 0.3 s"),
        ("import os; os._exit(3)", "exit status 3"),
    ],
)
@promise("graders.python")
async def test_a_program_that_fails_is_a_fault_and_no_verdict(body: str, told: str) -> None:
    source = f"def grade(sample, item):\n    {body}"
    with pytest.raises(CannotGrade, match=told):
        await grade({"type": "python", "source": source, "timeout_s": 0.3 if "sleep" in body else 10}, "x")


@promise("graders.python")
async def test_a_program_sees_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    source = "import os\ndef grade(sample, item):\n    return float('OPENAI_API_KEY' not in os.environ)"
    assert await passes({"type": "python", "source": source}, "x")


def multi(formula: str) -> Json:
    right = {"type": "exact", "value": "42"}
    like = {"type": "text_similarity", "reference": "42 euro", "evaluation_metric": "rouge_1"}
    return {"type": "multi", "graders": {"right": right, "like": like}, "calculate_output": formula}


@pytest.mark.parametrize(
    ("formula", "score"),
    [("right", 1), ("0.5 * right + 0.5 * like", 5 / 6), ("min(right, like)", 2 / 3), ("-right + 1", 0),
     ("sqrt(like ** 2)", 2 / 3), ("floor(like) + ceil(like) / 4", 0.25)],
)  # fmt: skip
@promise("graders.multi")
async def test_scores_are_put_together_by_a_formula(formula: str, score: float) -> None:
    found = await grade(multi(formula), "42")
    assert found.score == pytest.approx(score) and found.passed is (score >= 0.5) and "right 1.00" in found.why


@promise("graders.multi")
async def test_a_formula_that_fails_is_a_fault() -> None:
    with pytest.raises(CannotGrade, match="cannot calculate"):
        await grade(multi("1 / (right - 1)"), "42")
    with pytest.raises(ValueError, match="is a formula of right, like"):
        await grade(multi("__import__('os').getcwd()"), "42")


# ---------------------------------------------------------------- judges


SCORE = {
    "type": "score_model",
    "input": [{"role": "user", "content": "Grade: {{sample.output_text}}"}],
    "range": [1, 5],
}
LABEL: Json = {
    "type": "label_model", "labels": ["kind", "rude"], "passing_labels": ["kind"],
    "input": [{"role": "user", "content": {"type": "input_text", "text": "Is it kind? {{sample.output_text}}"}}],
}  # fmt: skip


@pytest.fixture
async def means(server: Server, script: Script) -> AsyncIterator[Means]:
    async with AsyncOpenAI(base_url=server.url, api_key="sk-test", max_retries=0) as client:
        yield Means(judge=Judge(client, script.model))


def verdict(**fields: Any) -> Step:
    return says(json.dumps({"why": "So it is.", **fields}))


@promise("graders.judged")
async def test_a_model_gives_a_score_in_its_range(means: Means, script: Script) -> None:
    script.will(verdict(score=4), verdict(score=2), verdict(score=2))
    good = await grade(SCORE, "Good day!", means)
    assert (good.passed, good.score) == (True, 0.75) and "gives 4 of 5, wanted 3: So it is." in good.why
    assert good.judge_tokens > 0 and "Good day!" in str(script.seen[0].messages[-1]["content"])
    assert not (await grade(SCORE, "Go away!", means)).passed
    assert (await grade({**SCORE, "pass_threshold": 2}, "Go away!", means)).passed


@promise("graders.judged")
async def test_a_model_gives_one_of_the_labels(means: Means, script: Script) -> None:
    script.will(verdict(label="kind"), verdict(label="rude"))
    assert await passes(LABEL, "Good day!", means) and not await passes(LABEL, "Go away!", means)
    asked = script.seen[0].body["response_format"]["json_schema"]["schema"]["properties"]
    assert asked["label"]["enum"] == ["kind", "rude"] and [*asked] == ["why", "label"]


@promise("graders.judged")
async def test_a_judge_that_gives_no_verdict_is_a_fault(means: Means, script: Script) -> None:
    script.will(verdict(score=9))
    with pytest.raises(CannotGrade, match="'9', which is not from 1 to 5"):
        await grade(SCORE, "x", means)
    with pytest.raises(CannotGrade, match="asks a model: name it in the suite"):
        await grade(SCORE, "x")


def judges(wrong: set[int]) -> Any:
    """Whether the number in the answer is even; of some it says the contrary."""

    def answer(ask: Ask) -> Step:
        number = int(str(ask.messages[-1]["content"]).split()[-1])
        return verdict(label="kind" if (number % 2 == 0) is (number not in wrong) else "rude")

    return answer


@promise("graders.calibrated")
async def test_a_judge_that_disagrees_with_people_may_not_grade(
    means: Means, script: Script, upstream: Upstream, tmp_path: Path
) -> None:
    known = [{"output_text": f"number {at}", "passes": at % 2 == 0} for at in range(10)]
    (tmp_path / "known.jsonl").write_text("\n".join(map(json.dumps, known)))
    means.directory = str(tmp_path)
    grader = {**LABEL, "calibration": {"file": "known.jsonl", "agreement": 0.9}}
    script.always(judges(wrong={3}))
    found = await grade(grader, "number 12", means)
    assert found.passed and "agrees with 9 of 10 known verdicts (kappa 0.80)" in found.why
    script.always(judges(wrong={3, 4}))
    with pytest.raises(CannotGrade, match="agrees with 8 of 10 known verdicts .kappa 0.60.*90% are wanted"):
        await grade({**grader, "calibration": {"examples": known, "agreement": 0.9}}, "number 12", means)


@promise("graders.calibrated")
async def test_a_judge_is_calibrated_once_a_run(means: Means, script: Script) -> None:
    from pydantic import TypeAdapter

    from evals.graders import AnyGrader

    script.always(judges(wrong=set()))
    known = [{"output_text": f"number {at}", "passes": at % 2 == 0} for at in range(4)]
    grader = TypeAdapter[Any](AnyGrader).validate_python({**LABEL, "calibration": {"examples": known}})
    for _ in range(3):
        assert (await grader.grade(spoken("number 8"), means)).passed
    assert len(script.seen) == 4 + 3
