"""What the documentation shows is what happens: every example is run, every table and picture compared."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.command import main as evals
from evals.recording import graded
from graph.machine import build
from nodes import HOSTED_TOOLS
from tests import mcp_servers
from tests.process import ROOT, Server, run_module
from tests.web import searching

README = (ROOT / "README.md").read_text()
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)


def blocks(path: Path, language: str) -> list[str]:
    return [code for found, code in _BLOCK.findall(path.read_text()) if found == language]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with nothing configured, as a new user has it."""
    ours = Server(tmp_path_factory.mktemp("demo"), None, GRAPHNEXUS_DISCOVER="false", OPENAI_API_KEY="").start()
    yield ours
    ours.stop()


def run(code: str, demo: Server, names: dict[str, object]) -> None:
    code = code.replace("http://127.0.0.1:8000/v1", demo.url)
    exec(compile(code, "<example>", "exec"), names)


def test_the_first_example_streams_a_tool_call_and_answers(demo: Server, capsys: pytest.CaptureFixture[str]) -> None:
    run(blocks(ROOT / "README.md", "python")[0], demo, {})
    said = capsys.readouterr().out
    assert "response.function_call_arguments.delta" in said
    assert "21 °C, clear" in said


def test_the_examples_of_responses_do_what_they_say(demo: Server, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in blocks(ROOT / "docs/responses.md", "python"):
        run(code, demo, names)
    assert "1" in capsys.readouterr().out


def test_the_examples_of_web_sockets_do_what_they_say(demo: Server) -> None:
    names: dict[str, object] = {}
    for code in blocks(ROOT / "docs/websocket.md", "python"):
        run(code, demo, names)


def test_the_examples_of_background_responses_do_what_they_say(
    demo: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {}
    for code in blocks(ROOT / "docs/background.md", "python"):
        run(code, demo, names)
    assert "1" in capsys.readouterr().out


def test_the_examples_of_files_do_what_they_say(demo: Server) -> None:
    names: dict[str, object] = {}
    run(blocks(ROOT / "docs/responses.md", "python")[0], demo, names)
    for code in blocks(ROOT / "docs/files.md", "python"):
        run(code, demo, names)


def test_the_examples_of_the_code_interpreter_draw_a_picture_and_remember_it(demo: Server) -> None:
    names: dict[str, object] = {}
    run(blocks(ROOT / "docs/responses.md", "python")[0], demo, names)
    for code in blocks(ROOT / "docs/code-interpreter.md", "python"):
        run(code, demo, names)
    assert "cited" in names, "the picture was cited"


def test_the_examples_of_containers_do_what_they_say(demo: Server) -> None:
    names: dict[str, object] = {}
    for code in blocks(ROOT / "docs/containers.md", "python"):
        run(code, demo, names)


@pytest.mark.parametrize("page", ["shell", "skills"])
def test_the_examples_of_the_shell_and_of_skills_do_what_they_say(demo: Server, page: str) -> None:
    names: dict[str, object] = {}
    run(blocks(ROOT / "docs/responses.md", "python")[0], demo, names)
    for code in blocks(ROOT / f"docs/{page}.md", "python"):
        run(code, demo, names)


def test_the_example_of_input_files_is_told_of_them(demo: Server) -> None:
    names: dict[str, object] = {}
    run(blocks(ROOT / "docs/responses.md", "python")[0], demo, names)
    for code in blocks(ROOT / "docs/input-files.md", "python"):
        run(code, demo, names)


def test_the_examples_of_files_that_become_searchable_do_what_they_say(
    demo: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    for code in blocks(ROOT / "docs/file-search-ingestion.md", "python"):
        run(code, demo, {})
    counts, refused, found = capsys.readouterr().out.splitlines()
    assert (counts, found) == ("1 1", "['opening.md']")
    assert refused.startswith("unsupported_file - The file is an image;")


def test_the_mcp_example_calls_a_real_server(demo: Server) -> None:
    names: dict[str, object] = {}
    run(blocks(ROOT / "docs/responses.md", "python")[0], demo, names)
    with mcp_servers.serve("sums") as server:
        code = blocks(ROOT / "docs/mcp.md", "python")[0].replace("http://127.0.0.1:9000/mcp", server.url)
        run(code, demo, names)


def test_the_examples_of_tool_search_find_a_tool_and_call_it(demo: Server) -> None:
    names: dict[str, object] = {}
    run(blocks(ROOT / "docs/responses.md", "python")[0], demo, names)
    with mcp_servers.serve("sums") as server:
        for code in blocks(ROOT / "docs/tool-search.md", "python"):
            run(code.replace("http://127.0.0.1:9000/mcp", server.url), demo, names)


def test_the_examples_of_approvals_do_what_they_say(demo: Server) -> None:
    names: dict[str, object] = {}
    with mcp_servers.serve("sums") as server:
        for code in blocks(ROOT / "docs/approvals.md", "python"):
            run(code.replace("http://127.0.0.1:9000/mcp", server.url), demo, names)


def test_the_examples_of_replays_record_a_run_and_make_it_again(
    demo: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs/evals-replay.md"
    with mcp_servers.serve("sums") as server:
        run(blocks(page, "python")[0].replace("http://127.0.0.1:9000/mcp", server.url), demo, {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", demo.url)
    for line in blocks(page, "sh")[0].splitlines():
        with pytest.raises(SystemExit) as ended:
            evals(shlex.split(line)[2:])
        assert not ended.value.code, line
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "diff.json", "report.html", "result.json", "runs.jsonl",
    ]  # fmt: skip
    Path("same.yaml").write_text(blocks(page, "yaml")[0])
    assert graded.read(Path("same.yaml")).grader.type == "contains"


def test_the_example_of_values_answers_what_a_server_asks(demo: Server) -> None:
    with mcp_servers.serve("asking") as server:
        for code in blocks(ROOT / "docs/mcp-servers-ask.md", "python"):
            run(code.replace("http://127.0.0.1:9000/mcp", server.url), demo, {})


def test_the_example_of_web_search_cites_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = "https://en.wikipedia.org/wiki/Sydney_Harbour_Bridge"
    with searching() as engines:
        engines.found = [
            ("https://bridges.example/", "Bridges", "Bridges of the world."),
            (page, "Sydney Harbour Bridge", "It is an arch. The Sydney Harbour Bridge was opened in 1932."),
        ]
        engine = {"GRAPHNEXUS_WEB_SEARCH_ENGINES": "searxng", "GRAPHNEXUS_WEB_SEARCH_SEARXNG_URL": engines.url}
        ours = Server(tmp_path, None, GRAPHNEXUS_DISCOVER="false", OPENAI_API_KEY="", **engine).start()
        try:
            run(blocks(ROOT / "docs/web-search.md", "python")[0], ours, {})
        finally:
            ours.stop()
    link = f"([en.wikipedia.org]({page}))"
    assert capsys.readouterr().out.splitlines() == [
        f"['When was the Sydney Harbour Bridge opened?'] ['{page}']",
        f"The Sydney Harbour Bridge was opened in 1932 {link}.",
        f"Sydney Harbour Bridge {page} {link}",
    ]


def test_the_picture_of_the_graph_is_the_graph() -> None:
    picture = build(list(HOSTED_TOOLS)).compile().get_graph().draw_mermaid().strip()
    assert picture in README


def test_the_table_of_settings_is_complete() -> None:
    printed = run_module("server", "settings")
    assert printed.stdout.strip() in (ROOT / "docs/settings.md").read_text()
