"""What the tests of suites share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import check_log
from tests.evals.standing import scripted
from tests.process import Server


@pytest.fixture(scope="session")
def scripted_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the shipped scripted model."""
    with scripted(tmp_path_factory.mktemp("scripted") / "log") as url:
        yield url


@pytest.fixture(scope="session")
def over_scripted(scripted_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over it, which lets browsers at this machine."""
    directory: Path = tmp_path_factory.mktemp("over-scripted")
    ours = Server(directory, scripted_model, GRAPHNEXUS_BROWSER_ALLOWED_HOSTS="127.0.0.1")
    yield ours.start()
    assert ours.stop() == 0
    check_log(ours.log())
