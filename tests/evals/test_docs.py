"""Suites and rules that the documentation shows do what it says."""

import re
from pathlib import Path

import pytest
import yaml

from evals.scripted.script import Script, reply
from evals.suite.reading import read
from tests.contract import promise
from tests.evals.standing import attempts
from tests.process import ROOT, Server

_YAML = re.compile(r"^```yaml\n(.*?)^```", re.S | re.M)


def shown(page: str) -> list[str]:
    return _YAML.findall((ROOT / "docs" / page).read_text())


@promise("suites.documented")
@pytest.mark.parametrize("page", ["evals.md", "evals-suites.md"])
async def test_the_suite_of_a_page_can_be_read_and_run(page: str, over_scripted: Server, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(shown(page)[0])
    made = await attempts(read(file), over_scripted.url, tmp_path / "run", "demo")
    assert {id: one.fault or one.grades for id, one in made.items() if one.fault or not one.passed} == {}


@promise("suites.documented")
def test_the_rules_of_a_model_answer() -> None:
    script = Script.model_validate(yaml.safe_load(shown("evals-suites.md")[1]))
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    asked = [{"role": "user", "content": "The weather in Oslo?"}]
    assert reply(script, {"messages": asked, "tools": tools}).calls == [("get_weather", '{"city": "Oslo"}')]
    told = [*asked, {"role": "tool", "content": "snow"}]
    assert reply(script, {"messages": told, "tools": tools}).text == "In Oslo: snow."
    assert reply(script, {"messages": [{"role": "user", "content": "Why?"}]}).text == "I do not know."
