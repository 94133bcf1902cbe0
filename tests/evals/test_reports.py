"""What is said of a run: in a terminal, to CI systems, in one HTML file."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from lxml import etree
from playwright.sync_api import Browser, Page
from rich.console import Console

from evals.graders.grading import Grade
from evals.report.files import write
from evals.report.reading import read
from evals.report.table import shown
from evals.results import RunResult
from evals.transcript import Made, Transcript
from evals.wellformed import kept
from tests.contract import promise
from tests.evals.browsing import chromium, offline, unfolded
from tests.evals.results_made import HOSTILE, asked, called, case, every_way, large, run, said, transcript
from tests.process import Server, nursery, run_module
from tests.told import eventually
from tests.upstream import Upstream, says

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("junit.rng")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with offline(browser) as page:
        yield page


def opened(page: Page, result: RunResult, directory: Path) -> Page:
    write(result, html=directory / "report.html")
    page.goto((directory / "report.html").as_uri())
    return page


def printed(result: RunResult, every_case: bool = False) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(shown(result, every_case))
    return captured.get()


@promise("reports.table")
def test_the_terminal_tells_what_failed_and_why_and_what_all_came_to() -> None:
    said = printed(every_way())
    lines = said.splitlines()
    assert any("✗" in line and "bad" in line and "exact: Found '41'." in line for line in lines)
    assert any("≈" in line and "flaky" in line and "2/3" in line for line in lines)
    assert any("!" in line and "502 three times" in line for line in lines)
    assert not any(line.split()[1:2] == ["good"] for line in lines)
    assert "pass_rate" in said and "MISSED" in said and "pass^3 30.0%" in said
    assert "shop: 1 of 6 cases passed (27.8%, likely 17.8% to 37.8%), faults" in said
    assert "1 faults; not complete" in said
    assert "good" in printed(every_way(), every_case=True)


@promise("reports.table")
def test_what_a_model_says_does_not_steer_the_terminal() -> None:
    assert not {"\x1b", "\x00"} & set(printed(every_way()))


@promise("reports.junit")
def test_ci_systems_see_every_failure_with_its_reason(tmp_path: Path) -> None:
    write(every_way(), junit=tmp_path / "deep" / "junit.xml")
    root = etree.parse(tmp_path / "deep" / "junit.xml")
    SCHEMA.assertValid(root)
    suite, thresholds = root.findall("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8", "failures": "3", "errors": "1", "skipped": "1",
    }  # fmt: skip
    tests = {test.get("name"): test for test in suite.iter("testcase")}
    assert tests["bad"].find("failure").get("message") == "exact: Found '41'."
    assert "The answer:\n41" in tests["bad"].find("failure").text
    assert tests["broken"].find("error").get("message") == "fault: The server answered 502 three times."
    assert [name for name in tests if name.startswith("flaky") and len(tests[name])] == ["flaky (epoch 2)"]
    assert HOSTILE in tests["hostile"].find("failure").text
    assert [test.get("name") for test in thresholds.iter("testcase") if len(test)] == ["pass_rate"]


@promise("reports.junit")
def test_a_green_run_has_no_failures(tmp_path: Path) -> None:
    write(run(case("one", True), case("two", True)), junit=tmp_path / "junit.xml")
    root = etree.parse(tmp_path / "junit.xml")
    SCHEMA.assertValid(root)
    assert len(root.findall("testsuite")) == 1 and not [*root.iter("failure", "error", "skipped")]


@promise("reports.json")
def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(every_way(), json=tmp_path / "result.json")
    assert read(tmp_path) == read(tmp_path / "result.json") == every_way()


@promise("reports.json")
def test_half_a_sign_and_what_is_no_number_do_not_keep_a_result_from_being_written(tmp_path: Path) -> None:
    """Servers have said such things."""
    odd = kept(transcript("odd", [called("price", "{}", "a\ud83d"), said("half \ud83d of a pair")]))
    odd.turns[0].responses[0]["temperature"] = float("nan")
    result = run(case("odd", True))
    result.cases[0].attempts[0].transcript = odd
    write(result, tmp_path / "result.json", tmp_path / "junit.xml", tmp_path / "report.html")
    again = read(tmp_path).cases[0].attempts[0].transcript
    assert again and again.text == "half \ufffd of a pair"
    told = (tmp_path / "report.html").read_text().partition('id="told">')[2].partition("</script>")[0]
    assert json.loads(told, parse_constant=pytest.fail)["result"]["suite"] == "shop"
    (tmp_path / "result.json").write_text(
        json.dumps(json.loads((tmp_path / "result.json").read_text()) | {"run": "\ud83d"})
    )
    assert read(tmp_path).run == "\ufffd"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "holds no result.json"),
        ("{", "is no JSON"),
        ("[]", "expected a JSON object"),
        ('{"run": "1"}', "suite: field required"),
        ('{"bars": [{"name": "x"}]}', "its bars want name, value, limit, unit"),
    ],
)
@promise("reports.json")
def test_what_is_no_result_is_one_line_and_status_2(text: str | None, told: str, tmp_path: Path) -> None:
    if text:
        (tmp_path / "result.json").write_text(text)
    ended = run_module("evals.command", "view", str(tmp_path), "--out", str(tmp_path / "x.html"))
    assert ended.returncode == 2 and told in ended.stderr and str(tmp_path) in ended.stderr
    assert len(ended.stderr.splitlines()) == 1 and not ended.stdout


@promise("reports.html")
def test_one_file_shows_the_run_without_a_network(page: Page, tmp_path: Path) -> None:
    opened(page, every_way(), tmp_path)
    assert page.title() == "shop"
    assert page.locator(".verdict").inner_text().endswith("Not everything could be run")
    assert page.locator(".big").inner_text() == "27.8 %"
    assert page.locator(".cell").count() == 6
    charts = page.locator("svg[role=img]").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert [name.split(":")[0] for name in charts[1:]] == ["pass@k and pass^k by k", "Latency", "Tokens"]
    assert page.locator(".cases .case").count() == 6
    page.screenshot(path=tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 20_000


@promise("reports.html")
def test_each_case_tells_its_grades_and_its_transcript(page: Page, tmp_path: Path) -> None:
    told = case("told", True, False)
    told.attempts[1].transcript = transcript("told", [called("price", '{"of":"kettle"}', "42 €"), said("It costs 41.")])
    told.attempts[1].grades.append(Grade(grader="tool_calls", score=0, passed=False, why="Wanted stock, found price."))
    opened(page, run(told), tmp_path)
    page.get_by_text("told").first.click()
    unfolded(page)
    body = page.locator(".case .body").inner_text()
    for words in ("Found '42'.", "Wanted stock, found price.", "What does it cost?", "shop.price", "kettle", "42 €"):
        assert words in body
    assert "It costs 41." in body and "It was not asked" not in body
    page.get_by_role("button", name="epoch 1").click()
    assert "It costs 41." not in page.locator(".case .body").inner_text()


@promise("reports.html")
def test_what_the_client_answered_stands_behind_what_asked(page: Page, tmp_path: Path) -> None:
    told = case("told", True)
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Oslo"}'}
    answer = {"type": "function_call_output", "call_id": "c1", "output": "snow"}
    responses = [{"output": [call]}, {"output": [said("It snows.")]}]
    told.attempts[0].transcript = Transcript(
        case="told", turns=[Made(input=[asked("Oslo?"), answer], responses=responses)]
    )
    opened(page, run(told), tmp_path)
    page.get_by_text("told").first.click()
    unfolded(page)
    shown = page.locator(".item .kind").all_text_contents()
    assert shown == ["user", "function call", "function call output", "assistant"]


@promise("reports.html.safe")
def test_what_a_model_says_is_shown_and_never_run(page: Page, tmp_path: Path) -> None:
    result = every_way()
    result.suite = HOSTILE
    opened(page, result, tmp_path)
    for row in page.locator(".case > summary").all():
        row.click()
    unfolded(page)
    assert page.locator("h1").inner_text() == page.title() == HOSTILE
    assert page.locator(".case", has_text="hostile").locator(".item").last.inner_text().endswith(HOSTILE)
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.scripts.length") == 2


@promise("reports.html.safe")
def test_no_script_but_the_page_s_own_runs_in_it(browser: Browser, tmp_path: Path) -> None:
    """As if escaping had failed: markup with scripts, in the file itself."""
    write(every_way(), html=tmp_path / "report.html")
    ours = (tmp_path / "report.html").read_text()
    worse = ours.replace(
        "<noscript>", "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    )
    (tmp_path / "report.html").write_text(worse.replace("</noscript>", ""))
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.title() == "shop" and page.locator(".case").count() == 6
    context.close()


@promise("reports.html.search")
def test_cases_are_found_by_outcome_grader_tag_and_words(page: Page, tmp_path: Path) -> None:
    result = large(120)
    result.cases[17].attempts[0].transcript = transcript("x", [said("A samovar, of all things.")])
    opened(page, result, tmp_path)
    rows = page.locator(".cases .case")
    assert rows.count() == 120
    page.get_by_label("Search cases").fill("samovar things")
    assert rows.count() == 1 and result.cases[17].id in rows.inner_text()
    page.get_by_label("Search cases").fill("")
    failed = [one for one in result.cases if one.passed == 0]
    page.get_by_role("button", name="failed").last.click()
    assert rows.count() == len(failed) > 0
    page.get_by_label("Tag").select_option("pricing")
    assert rows.count() == len([one for one in failed if one.tags == ["pricing"]])
    page.locator(".cell").nth(3).click()
    assert page.locator("details[open]").count() == 1 and rows.count() == 120


@promise("reports.html")
def test_the_report_is_dark_where_the_system_is(browser: Browser, tmp_path: Path) -> None:
    grounds: list[str] = []
    for scheme in ("dark", "light"):
        context = browser.new_context(offline=True, color_scheme=scheme)
        page = opened(context.new_page(), every_way(), tmp_path)
        shade = "getComputedStyle(document.body).backgroundColor"
        grounds.append(page.evaluate(shade))
        page.get_by_role("button", name="Light or dark").click()
        grounds.append(page.evaluate(shade))
        context.close()
    assert grounds[0] == grounds[3] != grounds[1] == grounds[2]


@promise("reports.view")
def test_a_result_is_viewed_on_loopback_alone(tmp_path: Path) -> None:
    write(every_way(), json=tmp_path / "result.json")
    with viewed(tmp_path / "log", str(tmp_path), "--no-browser") as url:
        assert url.startswith("http://127.0.0.1:")
        assert "<title>shop</title>" in urlopen(url).read().decode()
        with pytest.raises(OSError, match="404"):
            urlopen(Request(url, headers={"Host": "evil.example:80"}))


@contextmanager
def viewed(log: Path, *line: str) -> Iterator[str]:
    """Its address."""
    viewing = nursery().start(["evals.command", "view", *line], os.environ, log)
    try:
        yield eventually(lambda: _said_in(log), AssertionError)
    finally:
        viewing.kill()
        viewing.wait(10)


def _said_in(log: Path) -> str:
    said = re.search(r"http://\S+", log.read_text() if log.exists() else "")
    assert said
    return said[0]


@promise("reports.view")
def test_a_bench_is_viewed_too(page: Page, tmp_path: Path) -> None:
    bar = {"name": "start to /health", "value": 1.3, "limit": 2, "unit": "s", "detail": "0.9 s CPU", "holds": True}
    missed = {**bar, "name": "memory", "value": 170, "limit": 150, "unit": "KB", "holds": False}
    (tmp_path / "bench.json").write_text(json.dumps({"about": "2026, 2 cores", "bars": [bar, missed]}))
    ended = run_module("evals.command", "view", str(tmp_path / "bench.json"), "--out", str(tmp_path / "bench.html"))
    assert (ended.returncode, ended.stderr) == (0, "")
    page.goto((tmp_path / "bench.html").as_uri())
    assert "1 bar missed" in page.locator(".verdict").inner_text()
    assert [row.split("\n")[0] for row in page.locator("tr th").all_inner_texts()] == ["memory", "start to /health"]


SUITE = """
name: prices
cases:
  - {id: kettle, input: "What does a kettle cost?", expect: "42", tags: [kettles]}
  - {id: samovar, input: "What does a samovar cost?", expect: "99"}
"""


@promise("reports.html", "reports.junit", "reports.inspect")
def test_a_run_is_reported_and_opens_in_both_viewers(
    server: Server, upstream: Upstream, browser: Browser, tmp_path: Path
) -> None:
    upstream.on("forty-two").always(says("42"))
    (tmp_path / "prices.yaml").write_text(SUITE)
    out, junit = tmp_path / "run", tmp_path / "junit.xml"
    flags = ["--url", server.url, "--model", "forty-two", "--out", str(out), "--junit", str(junit), "--pass-rate", "1"]
    ended = run_module("evals.command", "run", str(tmp_path / "prices.yaml"), *flags)
    assert ended.returncode == 1 and "samovar" in ended.stdout and "1 of 2 cases passed" in ended.stdout
    SCHEMA.assertValid(etree.parse(junit))
    with offline(browser) as page:
        page.goto((out / "report.html").as_uri())
        assert page.locator(".big").inner_text() == "50.0 %"
        page.get_by_text("samovar", exact=True).click()
        unfolded(page)
        assert "What does a samovar cost?" in page.locator(".case[open]").inner_text()
    with viewed(tmp_path / "log", str(out), "--inspect") as url:
        page = browser.new_page()
        outside: list[str] = []
        page.on("request", lambda request: outside.append(request.url) if not request.url.startswith(url) else None)
        page.goto(url)
        page.get_by_text("samovar").first.wait_for()
        page.screenshot(path=tmp_path / "inspect.png")
        page.close()
        assert not outside
