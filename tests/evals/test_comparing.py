"""Two results beside each other: what became worse, and how surely."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from evals.comparing.chance import fell_by_chance, paired
from evals.comparing.compare import compare
from evals.comparing.comparison import Comparison
from evals.comparing.table import shown
from evals.comparing.text import pieces
from evals.report.files import write
from evals.results import CaseResult, RunResult
from tests.contract import promise
from tests.evals.browsing import chromium, offline, unfolded
from tests.evals.results_made import HOSTILE, case, every_way, run
from tests.process import ROOT, run_module

Json = dict[str, Any]
TIMES = 80


def many(good: int, bad: int, **more: Any) -> RunResult:
    """Cases that pass first, then those that do not."""
    return run(*(case(f"case-{at}", at < good, **more) for at in range(good + bad)))


def files(directory: Path, before: RunResult, after: RunResult) -> list[str]:
    for name, result in (("before", before), ("after", after)):
        write(result, json=directory / name / "result.json")
    return [str(directory / "before"), str(directory / "after")]


def moves(comparison: Comparison) -> dict[str, str]:
    return {case.id: case.move for case in comparison.cases}


@promise("compare.sure")
def test_a_true_change_is_seen_and_its_interval_holds_it() -> None:
    """Of many pairs of runs whose cases pass 15 points less often."""
    chance, held, seen = random.Random(1), 0, 0
    for _ in range(TIMES):
        found = paired([float(chance.random() < 0.6) - float(chance.random() < 0.75) for _ in range(150)])
        held += found.low <= -0.15 <= found.high
        seen += found.sure and found.value < 0
    assert held >= 0.9 * TIMES and seen >= 0.7 * TIMES


@promise("compare.sure")
def test_chance_is_called_a_change_one_time_in_twenty() -> None:
    chance = random.Random(2)
    alike = [
        paired([float(chance.random() < 0.7) - float(chance.random() < 0.7) for _ in range(80)]) for _ in range(TIMES)
    ]
    assert 0 < sum(one.sure for one in alike) <= 0.09 * TIMES
    assert abs(mean(one.value for one in alike)) < 0.02


@pytest.mark.parametrize(("count", "sure"), [(1, False), (5, False), (6, True), (40, True)])
@promise("compare.sure")
def test_a_handful_of_cases_is_no_evidence(count: int, sure: bool) -> None:
    """All fell: drawn anew they never vary; yet of five coins all fall alike once in sixteen times."""
    found = paired([-1.0] * count)
    assert found.value == found.low == found.high == -1 and found.sure is sure
    if count <= 6:
        assert found.p == pytest.approx(2 / 2**count)
    assert paired([]) == paired([0.0, 0.0]) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("passed", "asked", "likely"),
    [
        ((1, 0), (1, 1), 0.5),
        ((3, 0), (3, 3), 0.05),
        ((5, 1), (5, 5), 0.0238),
        ((5, 4), (5, 5), 0.5),
        ((4, 1), (5, 3), 0.2857),
    ],
)
@promise("compare.cases")
def test_few_epochs_tell_little(passed: tuple[int, int], asked: tuple[int, int], likely: float) -> None:
    assert fell_by_chance(passed, asked) == pytest.approx(likely, abs=0.0001)


@promise("compare.cases")
def test_regressions_stand_first() -> None:
    before = run(
        case("same", True), case("mended", False), case("gone", True), case("flaky", True, True, True),
        case("broke", True), case("fell", True, True, True),
    )  # fmt: skip
    after = run(
        case("same", True), case("new", False), case("mended", True), case("flaky", True, False, True),
        case("broke", False), case("fell", False, False, False),
    )  # fmt: skip
    found = compare(before, after)
    assert moves(found) == {
        "broke": "regressed", "fell": "regressed", "flaky": "worse", "gone": "gone", "mended": "improved", "new": "new",
        "same": "same",
    }  # fmt: skip
    assert [case.move for case in found.cases][:3] == ["regressed", "regressed", "worse"]
    assert found.pass_rate.cases == 5
    assert found.regressed("case") and found.regressed("any") and not found.regressed("suite")


@promise("compare.cases")
def test_each_case_tells_how_grades_and_texts_differ() -> None:
    before = run(case("kettle", True, text="It costs 42 euro."))
    after = run(case("kettle", False, text="It costs 41 euro."))
    [told] = compare(before, after).cases
    assert [grade.grader for grade in told.grades] == ["exact", "budget"]
    assert told.grades[0].score == (1, 0) and told.grades[0].why[1] == "Found 'It costs 41 euro.'."
    assert told.grades[1].score == (1, 1) and told.question == "What does it cost?"
    assert told.diff == [("same", "It costs "), ("gone", "42"), ("new", "41"), ("same", " euro.")]


@promise("compare.cases")
@pytest.mark.parametrize("content", [7, None, [7], {"text": "?"}])
def test_what_no_server_takes_is_compared_all_the_same(content: Any) -> None:
    before, after = run(case("odd", True)), run(case("odd", False))
    for result in (before, after):
        for one in result.cases[0].attempts:
            assert one.transcript
            one.transcript.turns[0].input = [{"role": "user", "content": content}]
    assert [one.question for one in compare(before, after).cases] == [""]


@promise("compare.cases")
def test_long_texts_differ_by_lines() -> None:
    long = [f"line {at} of many\n" for at in range(2000)]
    changed = [*long[:1000], "another\n", *long[1001:]]
    found = pieces("".join(long), "".join(changed))
    assert [piece for piece in found if piece.kind != "same"] == [("gone", long[1000]), ("new", "another\n")]
    assert "".join(piece.text for piece in found if piece.kind != "gone") == "".join(changed)


@promise("compare.cases")
def test_tags_and_graders_are_compared_by_themselves() -> None:
    before = run(*(case(f"{tag}-{at}", True, tags=[tag]) for tag in ("good", "bad") for at in range(10)))
    after = run(*(case(f"{tag}-{at}", tag == "good", tags=[tag]) for tag in ("good", "bad") for at in range(10)))
    found = compare(before, after)
    assert {tag.name: tag.verdict for tag in found.tags} == {"good": "same", "bad": "worse"}
    assert {one.name: one.verdict for one in found.graders} == {"exact": "worse", "budget": "same"}
    assert (found.pass_rate.before, found.pass_rate.after, found.pass_rate.verdict) == (1, 0.5, "worse")


@promise("compare.costs")
def test_what_got_dearer_is_told_as_a_ratio() -> None:
    chance = random.Random(3)
    took = [chance.lognormvariate(0, 1) for _ in range(60)]
    noise = [chance.lognormvariate(0, 0.2) for _ in range(60)]
    before = run(*(case(str(at), True, seconds=s, tokens=100) for at, s in enumerate(took)))
    after = run(
        *(
            case(str(at), True, seconds=s * 1.3 * n, tokens=100)
            for at, (s, n) in enumerate(zip(took, noise, strict=True))
        )
    )
    time, tokens, _ = compare(before, after).costs
    assert time.verdict == "worse" and time.low <= 1.3 <= time.high and time.low > 1.1
    assert tokens.verdict == "same" and tokens.by == 1


@promise("compare.costs")
def test_a_case_with_a_fault_costs_nothing_and_is_not_compared() -> None:
    before, after = many(3, 0, seconds=4), many(3, 0, seconds=4)
    after.cases[0].attempts[0].fault, after.cases[0].attempts[0].seconds = "The server hung up.", 0.1
    after.cases.append(CaseResult(id="unasked"))
    found = compare(before, after)
    assert found.costs[0].cases == 2 and found.costs[0].by == 1
    assert found.after.faults == 1 and moves(found)["unasked"] == "same"


@pytest.mark.parametrize(
    ("after", "flags", "status"),
    [
        (many(20, 0), (), 0),
        (many(19, 1), (), 1),
        (many(19, 1), ("--fail-on", "suite"), 0),
        (many(10, 10), ("--fail-on", "suite"), 1),
    ],
)
@promise("compare.command")
def test_the_exit_status_is_1_where_something_regressed(
    after: RunResult, flags: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    ended = run_module("evals.command", "compare", *files(tmp_path, many(20, 0), after), *flags)
    assert (ended.returncode, ended.stderr) == (status, "")
    assert ("regressed" in ended.stdout) == any(not one.attempts[0].passed for one in after.cases)


@promise("compare.command")
def test_the_terminal_says_it_in_a_sentence() -> None:
    console = Console(width=160, color_system=None)
    with console.capture() as captured:
        console.print(shown(compare(many(20, 0), many(10, 10))))
    said = captured.get()
    assert "The pass rate fell by 50.0 points: more than chance (20 cases asked on both sides)." in said
    assert "10 regressed." in said and "100% → 0%" in said
    with console.capture() as captured:
        console.print(shown(compare(many(20, 0), many(20, 0))))
    assert "The pass rate is the same (20 cases asked on both sides).\nNo case moved." in captured.get()


@promise("compare.command")
def test_what_cannot_be_compared_is_one_line_and_status_2(tmp_path: Path) -> None:
    bench = benched(tmp_path / "bench.json")
    write(many(1, 0), json=tmp_path / "result.json")
    for line, told in (
        ((tmp_path, tmp_path / "none.json"), "none.json does not exist"),
        ((tmp_path, bench), "two of a kind"),
    ):
        ended = run_module("evals.command", "compare", *map(str, line))
        assert ended.returncode == 2 and told in ended.stderr and len(ended.stderr.splitlines()) == 1


def benched(path: Path, **values: float) -> Path:
    """A bench's `--out`: figures that may be 2 at most."""
    bars = [
        {"name": name, "value": value, "limit": 2, "unit": "× httpx", "detail": "", "holds": value <= 2}
        for name, value in values.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": path.stem, "bars": bars}))
    return path


@promise("compare.bench")
def test_benches_are_compared_and_noise_is_not_called_dearer(tmp_path: Path) -> None:
    before = benched(tmp_path / "a.json", streamed=1.0, waiting=1.0, memory=1.95, faster=1.0, left=1.0, failures=0)
    after = benched(tmp_path / "b.json", streamed=1.2, waiting=1.05, memory=2.05, faster=0.7, came=1.0, failures=0)
    ended = run_module("evals.command", "compare", str(before), str(after), "--json", str(tmp_path / "out.json"))
    assert (ended.returncode, ended.stderr) == (1, "") and "2 of 7 figures got dearer" in ended.stdout
    courses = {bar["name"]: bar["course"] for bar in json.loads((tmp_path / "out.json").read_text())["bars"]}
    assert [*courses.items()][:2] == [("memory", "missed"), ("streamed", "dearer")]
    assert (
        courses | {"waiting": "same", "faster": "cheaper", "left": "gone", "came": "new", "failures": "same"} == courses
    )
    loose = run_module("evals.command", "compare", str(before), str(before), "--noise", "0.3")
    assert loose.returncode == 0 and "Nothing got dearer" in loose.stdout


@promise("compare.bench")
def test_benches_measured_often_tell_their_own_noise(tmp_path: Path) -> None:
    """What varies by half between two measurements of one side has not got dearer by a third."""
    for at, value in enumerate((1.0, 1.5)):
        benched(tmp_path / "before" / f"{at}.json", shaky=value, steady=1.0)
        benched(tmp_path / "after" / f"{at}.json", shaky=value * 1.3, steady=1.3)
    flags = ("--json", str(tmp_path / "out.json"))
    ended = run_module("evals.command", "compare", str(tmp_path / "before"), str(tmp_path / "after"), *flags)
    courses = {bar["name"]: bar["course"] for bar in json.loads((tmp_path / "out.json").read_text())["bars"]}
    assert ended.returncode == 1 and courses == {"steady": "dearer", "shaky": "same"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@promise("compare.html")
def test_the_page_shows_regressions_first_and_what_differs(browser: Browser, tmp_path: Path) -> None:
    before, after = every_way(), every_way()
    before.cases[1] = case("bad", True, text="It costs 42 euro.")
    after.cases[1] = case("bad", False, text=f"It costs 41 euro. {HOSTILE}")
    flags = ("--html", str(tmp_path / "compared.html"))
    ended = run_module("evals.command", "compare", *files(tmp_path, before, after), *flags)
    assert (ended.returncode, ended.stderr) == (1, "")
    with offline(browser) as page:
        page.goto((tmp_path / "compared.html").as_uri())
        assert "1 case regressed" in page.locator(".verdict").inner_text()
        first = page.locator(".case").first
        first.locator("summary").click()
        unfolded(page)
        assert (
            first.locator("del").all_inner_texts()[0] == "42" and "</script>" in first.locator("ins").last.inner_text()
        )
        assert "exact" in first.locator(".beside").inner_text() and page.title() == "shop: before and after"
        page.get_by_label("Search cases").fill("hostile")
        assert page.locator(".case").count() == 1


@promise("compare.html")
def test_the_page_of_benches_shows_what_got_dearer_first(browser: Browser, tmp_path: Path) -> None:
    before = benched(tmp_path / "a.json", same=1.0, dearer=1.0, none=0)
    after = benched(tmp_path / "b.json", same=1.0, dearer=1.5, none=0)
    run_module("evals.command", "compare", str(before), str(after), "--html", str(tmp_path / "compared.html"))
    with offline(browser) as page:
        page.goto((tmp_path / "compared.html").as_uri())
        assert "1 figure got dearer" in page.locator(".verdict").inner_text()
        assert page.locator("tr").first.locator("th").inner_text() == "dearer"


@promise("compare.command", "reports.view")
def test_the_commands_of_the_documentation_do_what_they_say(tmp_path: Path) -> None:
    """But those that go on until interrupted."""
    for name, result in (("shop", every_way()), ("before", many(9, 0)), ("after", many(9, 0))):
        write(result, json=tmp_path / "runs" / name / "result.json")
    for name in ("before", "after", "bench"):
        benched(tmp_path / f"{name}.json", streamed=1.0)
    page = (ROOT / "docs/evals-reports.md").read_text()
    told = [line.partition(" #")[0].split()[2:] for line in page.splitlines() if line.startswith("graphnexus eval ")]
    lines = [line for line in told if line[0] == "compare" or "--out" in line]
    for line in lines:
        ended = run_module(
            "evals.command", *(str(tmp_path / word) if re.search(r"[./]", word) else word for word in line)
        )
        assert (ended.returncode, ended.stderr) == (0, ""), line
    assert len(lines) == 3
    assert {path.name for path in tmp_path.iterdir()} > {"shop.html", "compared.html", "compared.json"}
