"""The shipped suites, against the shipped scripted model: green, and as green when the model misbehaves."""

from pathlib import Path

import httpx2
import pytest

from evals.results import Attempt
from evals.scripted.server import FAULTS
from evals.suite.reading import SHIPPED
from tests.contract import promise
from tests.evals.standing import attempts, shipped
from tests.process import Server

NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
#: What a server gets over by itself; a 429 is the caller's to repeat.
SURVIVED = [fault for fault in FAULTS if fault != "429"]


@promise("suites.shipped")
@pytest.mark.parametrize("name", NAMES)
async def test_every_shipped_suite_is_green(name: str, over_scripted: Server, tmp_path: Path) -> None:
    made = await attempts(shipped(name), over_scripted.url, tmp_path)
    assert {id: told(one) for id, one in made.items() if not one.passed} == {}


@promise("suites.demo")
@pytest.mark.parametrize("name", NAMES)
async def test_what_needs_no_understanding_is_green_against_the_built_in_model(
    name: str, over_scripted: Server, tmp_path: Path
) -> None:
    suite = shipped(name, tag=None if name == "conformance" else "plain")
    made = await attempts(suite, over_scripted.url, tmp_path, "demo")
    assert made and {id: told(one) for id, one in made.items() if not one.passed} == {}


def told(attempt: Attempt) -> object:
    """What is wrong with it."""
    return attempt.fault or [(grade.grader, grade.why) for grade in attempt.grades if not grade.passed]


@pytest.fixture(scope="module")
async def calm(over_scripted: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attempt]:
    return await attempts(shipped("tools"), over_scripted.url, tmp_path_factory.mktemp("calm"))


@promise("suites.faults")
@pytest.mark.parametrize("fault", SURVIVED)
async def test_a_model_server_that_misbehaves_costs_no_score(
    fault: str, calm: dict[str, Attempt], scripted_model: str, over_scripted: Server, tmp_path: Path
) -> None:
    before = failed(scripted_model)
    rough = await attempts(shipped("tools"), over_scripted.url, tmp_path, f"scripted-{fault}")
    assert (failed(scripted_model) > before) is (fault == "503")
    assert {id: one.score for id, one in rough.items()} == {id: one.score for id, one in calm.items()}
    assert all(one.passed for one in rough.values())


def failed(model: str) -> int:
    """How often a scripted model has failed on purpose."""
    return httpx2.get(model.removesuffix("/v1") + "/health").json()["failed"]
