"""Suites of OpenAI Evals and of promptfoo: imported, asked, and the same verdicts as there."""

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from evals.command import main
from evals.importing.command import imported
from evals.running.grading import Graders
from evals.suite.reading import read
from evals.suite.schema import Suite
from evals.suite.whole import whole
from evals.transcript import Made, Transcript
from tests.contract import promise
from tests.evals.standing import attempts
from tests.process import ROOT, Server
from tests.upstream import Ask, Upstream, says

Json = dict[str, Any]


def written(directory: Path, **files: Any) -> dict[str, Path]:
    """Files by name; `data_jsonl` is `data.jsonl`."""
    made: dict[str, Path] = {}
    for name, held in files.items():
        path = directory / name.replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(held if isinstance(held, str) else json.dumps(held))
        made[name] = path
    return made


def status(*line: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in line])
    return int(str(ended.value.code or 0))


def verdicts(suite: Suite, answers: dict[str, str]) -> dict[str, list[bool]]:
    """What the graders of each case say of an answer; without a server."""

    async def graded(id: str) -> list[bool]:
        case = whole(next(one for one in suite.cases if one.id == id), suite)
        message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answers[id]}]}
        made = Transcript(case=id, turns=[Made(responses=[{"status": "completed", "output": [message]}])])
        attempt = await Graders(suite, None).graded(case, made)
        assert attempt.fault is None, attempt.fault
        return [grade.passed for grade in attempt.grades]

    return {id: asyncio.run(graded(id)) for id in answers}


# ---------------------------------------------------------------- OpenAI Evals

#: As `GET /evals/{id}` answers; source: API reference of Evals (read 2026-11-23).
EVAL: Json = {
    "object": "eval",
    "id": "eval_1",
    "name": "Capitals? (v2)",
    "data_source_config": {"type": "custom", "schema": {"type": "object", "properties": {"item": {"type": "object"}}}},
    "testing_criteria": [
        {"type": "string_check", "name": "same", "id": "same-1", "input": "{{ sample.output_text }}",
         "reference": "{{ item.capital }}", "operation": "eq"},
        {"type": "string_check", "name": "in it", "input": "{{sample.output_text}}", "reference": "{{item.capital}}",
         "operation": "ilike"},
        {"type": "string_check", "name": "not rude", "input": "{{sample.output_text}}", "reference": "{{item.rude}}",
         "operation": "ne"},
    ],
}  # fmt: skip
RUN: Json = {
    "object": "eval.run",
    "id": "evalrun_1",
    "eval_id": "eval_1",
    "model": "gpt-4.1",
    "data_source": {
        "type": "responses",
        "model": "gpt-4.1",
        "source": {"type": "file_id", "id": "file-1"},
        "input_messages": {
            "type": "template",
            "template": [
                {"type": "message", "role": "developer", "content": {"type": "input_text", "text": "Be brief."}},
                {"type": "message", "role": "user", "content": {"type": "input_text", "text": "Of {{item.country}}?"}},
            ],
        },
        "sampling_params": {"temperature": 0.5, "max_completions_tokens": 50, "seed": 42, "top_p": 1.0},
    },
}
#: Country, capital, what the model said then, and the verdicts there.
ROWS = [
    ("France", "Paris", "Paris", [True, True, True]),
    ("Italy", "Rome", "It is rome.", [False, True, True]),
    ("Spain", "Madrid", "Barcelona", [False, False, True]),
    ("Peru {{x}}", "Lima", "Go away", [False, False, False]),
]


def output_item(number: int, run: str = "evalrun_1") -> Json:
    country, capital, said, passed = ROWS[number]
    results = [
        {"name": criterion["name"], "type": "string_check", "passed": holds, "score": float(holds)}
        for criterion, holds in zip(EVAL["testing_criteria"], passed, strict=True)
    ]
    asked = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": f"Of {country}?"}]
    return {
        "object": "eval.run.output_item", "id": f"outputitem_{run}_{number}", "run_id": run, "eval_id": "eval_1",
        "datasource_item_id": number, "status": "pass" if all(passed) else "fail",
        "datasource_item": {"country": country, "capital": capital, "rude": "Go away"}, "results": results,
        "sample": {"input": asked, "output": [{"role": "assistant", "content": said}], "finish_reason": "stop"},
    }  # fmt: skip


def spoken(ask: Ask) -> str:
    return next(said for country, _, said, _ in ROWS if ask.messages[-1]["content"] == f"Of {country}?")


@promise("import.openai", "import.verdicts")
async def test_an_export_of_openai_gives_the_verdicts_it_had_there(
    server: Server, upstream: Upstream, tmp_path: Path
) -> None:
    """Asked of a model that says the same again."""
    script = upstream.on("imported").always(lambda ask: says(spoken(ask)))
    items = {"object": "list", "data": [output_item(number) for number in range(len(ROWS))], "has_more": False}
    files = written(tmp_path, eval_json=EVAL, run_json=RUN, items_json=items)
    out = tmp_path / "capitals.yaml"
    assert status("import", *files.values(), "--out", out) == 0
    suite = read(out)
    assert suite.name == "Capitals- -v2-"
    made = await attempts(suite, server.url, tmp_path / "run", "imported")
    assert {id: [grade.passed for grade in attempt.grades] for id, attempt in made.items()} == {
        f"row {number}": passed for number, (*_, passed) in enumerate(ROWS)
    }
    assert script.last.messages[0] in ({"role": "system", "content": "Be brief."},
                                       {"role": "developer", "content": "Be brief."})  # fmt: skip
    assert (script.last.body["temperature"], script.last.body["max_tokens"]) == (0.5, 50)


@promise("import.openai")
@pytest.mark.parametrize("way", ["rows", "content", "reference", "sampled", "one document"])
def test_what_was_asked_may_stand_in_several_places(tmp_path: Path, way: str) -> None:
    items = [{"country": country, "capital": capital, "rude": "Go away",
              "asked": [{"role": "user", "content": f"Of {country}?"}]} for country, capital, *_ in ROWS]  # fmt: skip
    rows = [{"item": item} for item in items]
    content = {"type": "file_content", "content": rows}
    source = RUN["data_source"]
    files = {
        "rows": {"run_json": RUN, "data_jsonl": "\n".join(map(json.dumps, rows))},
        "content": {"run_json": {**RUN, "data_source": {**source, "source": content}}},
        "reference": {
            "run_json": {**RUN, "data_source": {**source, "input_messages": {"type": "item_reference",
                                                                             "item_reference": "item.asked"}}},
            "data_jsonl": "\n".join(map(json.dumps, rows)),
        },
        "sampled": {"items_json": [output_item(number) for number in range(len(ROWS))]},
        "one document": {"all_json": {"eval": EVAL, "run": RUN, "rows": rows}},
    }[way]  # fmt: skip
    eval = {} if way == "one document" else {"eval_json": EVAL}
    out = tmp_path / "suite.yaml"
    assert status("import", *written(tmp_path, **eval, **files).values(), "--out", out) == 0
    suite = read(out)
    asked = [whole(case, suite).turns[0].input[-1] for case in suite.cases]
    assert [message["content"] for message in asked if isinstance(message, dict)] == [f"Of {row[0]}?" for row in ROWS]
    ids = [case.id for case in suite.cases]
    assert list(verdicts(suite, dict(zip(ids, (row[2] for row in ROWS), strict=True))).values()) == [r[3] for r in ROWS]


@promise("import.openai")
def test_items_of_other_runs_and_what_has_no_place_are_told_apart(tmp_path: Path) -> None:
    odd = {**EVAL, "testing_criteria": [*EVAL["testing_criteria"], {"type": "telepathy", "name": "x"}]}
    run = {**RUN, "data_source": {**RUN["data_source"], "sampling_params": {"logit_bias": {}}}}
    items = [output_item(0), output_item(0, "evalrun_0")]
    made = imported(list(written(tmp_path, eval_json=odd, run_json=run, items_json=items).values()))
    assert len(made.suite["cases"]) == 1
    assert made.left == [
        "testing_criteria[3]: there is no grader 'telepathy'.",
        "data_source.sampling_params.logit_bias: there is nothing like it in a request.",
    ]


#: With the verdicts of the rows, by hand: 1, 2·3/15, 2·2/15 and 2·1/11 alike; the capital is in it; the mean of both.
_CHECK: Json = {"type": "string_check", "name": "x", "input": "{{sample.output_text}}", "reference": "{{item.capital}}"}
_PROGRAM = """
def grade(sample, item):
    return float(item["capital"].lower() in sample["output_text"].lower())
"""
MORE: list[tuple[Json, list[bool]]] = [
    (
        {"type": "text_similarity", "name": "like", "input": "{{sample.output_text}}", "reference": "{{item.capital}}",
         "evaluation_metric": "fuzzy_match", "pass_threshold": 0.8},
        [True, False, False, False],
    ),
    (
        {"type": "python", "name": "program", "image_tag": None, "pass_threshold": 0.5, "source": _PROGRAM},
        [True, True, False, False],
    ),
    (
        {"type": "multi", "name": "both", "calculate_output": "(a + b) / 2",
         "graders": {"a": {**_CHECK, "operation": "eq"}, "b": {**_CHECK, "operation": "ilike"}}},
        [True, True, False, False],
    ),
]  # fmt: skip
JUDGED: list[Json] = [
    {"type": "score_model", "name": "scored", "model": "judge-1", "range": [0, 7], "pass_threshold": 5,
     "input": [{"role": "user", "content": "Is {{sample.output_text}} {{item.capital}}?"}], "sampling_params": None},
    {"type": "label_model", "name": "labelled", "model": "judge-2", "labels": ["yes", "no"], "passing_labels": ["yes"],
     "input": [{"role": "user", "content": {"type": "input_text", "text": "Is {{item.capital}} said?"}}]},
]  # fmt: skip


@promise("import.openai", "import.verdicts")
def test_every_grader_of_openai_is_taken_as_it_is(tmp_path: Path) -> None:
    items = [output_item(number) for number in range(len(ROWS))]
    suites = list[Suite]()
    for name, criteria in (("more", [one for one, _ in MORE]), ("judged", JUDGED)):
        files = written(tmp_path / name, eval_json={**EVAL, "testing_criteria": criteria}, items_json=items)
        assert status("import", *files.values(), "--out", tmp_path / f"{name}.yaml") == 0
        suites.append(read(tmp_path / f"{name}.yaml"))
    more, judged = suites
    made = verdicts(more, {case.id: row[2] for case, row in zip(more.cases, ROWS, strict=True)})
    assert list(zip(*made.values(), strict=True)) == [tuple(passed) for _, passed in MORE]
    assert judged.judge and judged.judge.model == "judge-1"
    assert [grader.model for grader in judged.defaults.graders] == ["judge-1", "judge-2"]


# ---------------------------------------------------------------- promptfoo

PROMPTFOO = """
description: "Greetings: polite?"
prompts:
  - "Greet {{ name | upper }}{% if mood %}, {{mood}}{% endif %}{{ nothing }}."
providers:
  - id: openai:chat:gpt-4.1-mini
    config: {temperature: 0.25, max_tokens: 40}
defaultTest:
  vars: {mood: "", upper: "is a filter, too"}
  assert:
    - {type: not-icontains, value: "sorry"}
tests:
  - description: "Ann, plainly"
    vars: {name: Ann}
    assert:
      - {type: equals, value: "Hello, {{name}}!"}
      - {type: starts-with, value: "Hello, {{name}}"}
      - {type: regex, value: "^hello"}
      - {type: contains-any, value: "Bob, Ann"}
      - {type: contains-all, value: ["Hello", "Bob"]}
      - {type: not-contains, value: "{{ '{{' }}"}
      - {type: starts-with, value: "Ann"}
  - vars: {name: [Bob, "C.D."], mood: warmly}
    threshold: 0.5
    assert:
      - {type: icontains, value: "{{name}}", weight: 3, metric: named}
      - {type: starts-with, value: "{{name}} ("}
  - vars: {name: Json}
    assert:
      - {type: is-json, value: {type: object, required: [a]}}
      - {type: equals, value: {a: [1, true]}}
      - {type: equals, value: 4}
      - {type: contains, value: true}
"""
#: Case → what is said, and by hand what promptfoo says of it: the default assertion first.
SAID: dict[str, tuple[str, list[bool]]] = {
    "1: Ann, plainly": ("Hello, Ann!", [True, True, True, False, True, False, True, False]),
    "2: test 2": ("bob (sorry)", [False, True, False]),
    "3: test 2": ("C.D. (here)", [True, True, True]),
    "4: test 3": ('{"a": [1, true]}', [True, True, True, False, True]),
}


@promise("import.promptfoo", "import.verdicts")
async def test_a_promptfoo_file_gives_the_verdicts_it_gives_there(
    server: Server, upstream: Upstream, tmp_path: Path
) -> None:
    asked = {
        "Greet ANN.": "1: Ann, plainly",
        "Greet BOB, warmly.": "2: test 2",
        "Greet C.D., warmly.": "3: test 2",
        "Greet JSON.": "4: test 3",
    }
    script = upstream.on("greeter").always(lambda ask: says(SAID[asked[ask.messages[-1]["content"]]][0]))
    (file,) = written(tmp_path, promptfooconfig_yaml=PROMPTFOO).values()
    out = tmp_path / "suite.yaml"
    assert status("import", file, "--out", out) == 0
    made = await attempts(read(out), server.url, tmp_path / "run", "greeter")
    graded = {id.replace("-", ","): attempt for id, attempt in made.items()}
    assert {id: [grade.passed for grade in attempt.grades] for id, attempt in graded.items()} == {
        id: passed for id, (_, passed) in SAID.items()
    }
    assert {id: attempt.passed for id, attempt in graded.items()} == {
        "1: Ann, plainly": False,
        "2: test 2": True,  # (0 + 3 + 0) / 5 of the weights
        "3: test 2": True,
        "4: test 3": False,
    }
    assert (script.last.body["temperature"], script.last.body["max_tokens"]) == (0.25, 40)
    assert read(out).target.model == "gpt-4.1-mini"


@promise("import.promptfoo")
def test_prompts_and_tests_may_stand_in_files(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        config_yaml="prompts: [file://two.txt, chat.json]\nproviders: openai:gpt-5\ntests: file://rows.csv\n",
        two_txt="One {{a}}\n---\nTwo {{a}}\n",
        chat_json='[{"role": "system", "content": "Be {{b}}."}, {"role": "user", "content": "{{a}}"}]',
        rows_csv="a,b,__expected,__expected2,__description\n"
        '"x\ny",kind,"contains: x",is-json,Lines\n'
        'z,short,"note: z","not-levenshtein(2): zz",\n',
    )
    made = imported([files["config_yaml"]])
    cases = made.suite["cases"]
    assert [case["input"] for case in cases[:3]] == [
        "One {{item.a}}", "Two {{item.a}}",
        [{"role": "system", "content": "Be {{item.b}}."}, {"role": "user", "content": "{{item.a}}"}],
    ]  # fmt: skip
    assert cases[0]["item"] == {"a": "x\ny", "b": "kind"} and cases[0]["id"] == "1: Lines, prompt 1".replace(",", "-")
    assert [grader["type"] for grader in cases[0]["graders"]] == ["contains", "json_schema"]
    equals, distance = cases[3]["graders"]
    assert (equals["type"], equals["reference"]) == ("string_check", "note: z"), "no assertion is called 'note'"
    assert (distance["type"], distance["at_most"], distance["negate"]) == ("distance", 2, True)
    assert made.suite["target"] == {"model": "gpt-5"} and made.left == []


@promise("import.left")
def test_what_cannot_be_said_is_named_and_the_status_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = """
prompts: ["{{a}}", file://ask.py]
providers: [anthropic:claude, openai:gpt-5]
defaultTest:
  assert: [{type: llm-rubric, value: "is kind"}]
tests:
  - vars: {a: 1}
    options: {transform: "output.trim()"}
    assert:
      - {type: javascript, value: "output.length < 5"}
      - {type: contains, value: "1", transform: x}
      - {type: equals, value: "1"}
"""
    (file,) = written(tmp_path, config_yaml=said).values()
    out = tmp_path / "suite.yaml"
    assert status("import", file, "--out", out) == 1
    assert status("import", file, "--out", out, "--partial") == 0
    told = capsys.readouterr().err.splitlines()[:7]
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == [
        "providers", "providers", "prompts[1]", "tests[0].transform", "tests[0].assert[1]", "tests[0].assert[2]",
        "judge",
    ]  # fmt: skip
    assert [grader.type for grader in read(out).cases[0].graders] == ["score_model", "string_check"]


@promise("import.checked")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompts: [", "cannot be read"),
        ("a: 1", "is neither a promptfoo file"),
        ('{"object": "eval.run"}', "The export has no eval"),
        ('{"object": "eval", "testing_criteria": []}', "The export has no rows"),
        ('[{"object": "eval"}, {"item": {}}]', "does not say what was asked"),
        (
            '[{"object": "eval"}, {"object": "eval.run", "data_source": {"type": "jsonl"}}, {"item": {}}]',
            "nobody is asked",
        ),
        ("prompts: ['{{ a']\ntests: [{vars: {a: 1}}]", "The template '{{ a' cannot be read"),
        ("prompts: [file://missing.txt]", "cannot be read"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = written(tmp_path, config_yaml=text).values()
    assert status("import", file, "--out", tmp_path / "suite.yaml") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "suite.yaml").exists()


@promise("import.openai", "import.promptfoo")
def test_the_commands_of_the_page_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, eval_json=EVAL, run_json=RUN, items_json=[output_item(0)], promptfooconfig_yaml=PROMPTFOO)
    page = (ROOT / "docs/evals-importing.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("graphnexus eval import")]
    assert len(lines) == 2
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert status(*shlex.split(line, comments=True)[2:]) == 0
