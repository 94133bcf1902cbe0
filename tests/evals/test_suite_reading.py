"""What a suite may say, and what is said of one that cannot be read: file, line, field and the fix, in one line."""

import json
from pathlib import Path

import pytest

from evals.command import main
from evals.suite.reading import find, read
from evals.suite.whole import whole
from evals.unfit import Unfit
from tests.contract import promise

CASE = "- {id: x, input: hi}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def said(tmp_path: Path, text: str, name: str = "s.yaml") -> str:
    """Of a suite that cannot be read, less its directory."""
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(Unfit) as problem:
        read(file)
    told = str(problem.value)
    assert "\n" not in told
    return told.removeprefix(f"{tmp_path}/")


@promise("suite.formats")
def test_a_suite_is_the_same_in_yaml_and_in_jsonl(tmp_path: Path) -> None:
    cases = [
        {
            "id": "a",
            "input": "A\u2028b\x85.",
            "tags": ["t"],
            "graders": [{"type": "exact", "value": "{{item.x}}"}],
        },
        {"id": "b", "turns": [{"input": "One."}, {"input": "Two.", "request": {"temperature": 0}}]},
    ]
    about = {"name": "same", "epochs": 2, "thresholds": {"pass_at": {"1": 0.5}}}
    (tmp_path / "s.yaml").write_text(json.dumps({**about, "cases": cases}))
    lines = [{"suite": about}, *cases]
    (tmp_path / "s.jsonl").write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    (tmp_path / "plain.jsonl").write_text("\n\n".join(json.dumps(case) for case in cases) + "\n")
    assert read(tmp_path / "s.yaml") == read(tmp_path / "s.jsonl")
    plain = read(tmp_path / "plain.jsonl")
    assert (plain.name, plain.epochs, [case.id for case in plain.cases]) == ("plain", 1, ["a", "b"])


@promise("suite.formats")
def test_what_a_suite_gives_to_every_case_stands_before_what_the_case_says(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("""
name: given
defaults:
  request: {temperature: 0, user: "{{item.who}}"}
  graders: [{type: contains, values: [a]}]
cases:
- id: x
  item: {who: Ann}
  input: "Greet {{item.who}}."
  request: {temperature: 1}
  graders: [{type: exact, value: b}]
""")
    suite = read(file)
    case = whole(suite.cases[0], suite)
    assert case.turns[0].input == "Greet Ann." and case.request == {"temperature": 1, "user": "Ann"}
    assert [grader.type for grader in case.graders] == ["contains", "exact"]


@promise("suite.formats")
def test_anchors_and_merges_of_yaml_are_read(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("name: a\ncases:\n- &first {id: x, input: hi, tags: [t]}\n- {<<: *first, id: y}\n")
    assert [(case.id, case.tags) for case in read(file).cases] == [("x", ["t"]), ("y", ["t"])]


@promise("suite.problems")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "s.yaml:1: a suite has a name and cases; found nothing."),
        ("- a\n", "s.yaml:1: a suite has a name and cases; found a list."),
        (f"name: a\nepoch: 2\ncases:\n{CASE}", "s.yaml:2: epoch: there is no such field; did you mean 'epochs'?"),
        ("name: a\ncases:\n- id: x\n  input: hi\n  tag: [a]\n",
         "s.yaml:5: cases.0.tag: there is no such field; did you mean 'tags'?"),
        ("name: a\ncases:\n- input: hi\n", "s.yaml:3: cases.0.id: it is missing."),
        ("name: a\ncases:\n- id: x\n", "s.yaml:3: cases.0: a case has either an input, turns or a recording."),
        ("name: a\ncases:\n- id: yes\n  input: hi\n", "s.yaml:3: cases.0.id: a text is expected, found True; quotes"),
        (f"name: a\nepochs: 0\ncases:\n{CASE}", "s.yaml:2: epochs: Input should be greater than or equal to 1."),
        (f"name: a\ntarget: {{url: x, graph: y}}\ncases:\n{CASE}", "s.yaml:2: target: a target is a url or a graph"),
        ("name: a\ncases:\n- id: x\n  input: hi\n  graders:\n  - type: exakt\n    value: a\n",
         "s.yaml:6: cases.0.graders.0: there is no 'exakt'; did you mean 'exact'?"),
        ("name: a\ncases:\n- id: x\n  input: hi\n  graders:\n  - {value: a}\n",
         "s.yaml:6: cases.0.graders.0: a 'type' is missing"),
        ("name: a\ncases:\n- id: x\n  input: hi\n  graders:\n  - type: regex\n    pattern: '('\n",
         "s.yaml:7: cases.0.graders.0.pattern: no regular expression"),
        (f"name: a\ncases:\n{CASE}{CASE}", "s.yaml:4: cases.1.id: 'x' is the case of line 3, too."),
        (f"name: a\nname: b\ncases:\n{CASE}", "s.yaml:2: 'name' is on line 1, too; leave one out."),
        ("name: a\n\tcases: 1\n", "s.yaml:2:1: not YAML: found character"),
        ("name: !!python/object/apply:os.system [exit]\n", "s.yaml:1:7: not YAML: could not determine a constructor"),
        ("name: a\ncases: &c [*c]\n", "s.yaml:2: what is anchored here is part of itself."),
        (BOMB, "s.yaml:7: more than 2,000,000 keys and entries, anchors written out."),
        ("name: a\ncases: " + "[" * 3000 + "]" * 3000, "s.yaml cannot be read: it is nested too deeply."),
    ],
)  # fmt: skip
def test_a_problem_of_yaml_names_line_field_and_fix(tmp_path: Path, text: str, told: str) -> None:
    assert said(tmp_path, text).startswith(told.removesuffix("?"))


@promise("suite.problems")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": "x", "input": "a"}\n{"id":\n', "s.jsonl:2: not JSON: Expecting value"),
        ('{"id": "x", "input": "a"}\n\n{"id": "y", "inptu": "a"}\n',
         "s.jsonl:3: cases.1.inptu: there is no such field; did you mean 'input'"),
        ('{"suite": {"epochs": 0}}\n{"id": "x", "input": "a"}\n', "s.jsonl:1: epochs: Input should be"),
        ('{"id": "x", "input": "a", "graders": [{"type": "exact"}]}\n', "s.jsonl:1: cases.0.graders.0.value: it"),
        ('"x"\n', 's.jsonl:1: a line is a case, or {"suite": …}'),
        ("\n", "s.jsonl:1: cases: List should have at least 1 item"),
        ('{"id": "x", "input": ' + "[" * 100_000, "s.jsonl cannot be read: it is nested too deeply."),
    ],
)  # fmt: skip
def test_a_problem_of_jsonl_names_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert said(tmp_path, text, "s.jsonl").startswith(told)


@promise("suite.problems")
def test_a_suite_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find("conformance").name == "conformance.yaml"
    with pytest.raises(SystemExit) as ended:
        main(["run", "nothing"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'nothing' is neither a file nor one of the suites that are shipped" in line and "conformance" in line
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(Unfit, match="it is no UTF-8 text"):
        read(tmp_path / "latin.yaml")
