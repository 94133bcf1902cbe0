"""An attacker of each kind."""

from collections.abc import Iterator

import pytest

from tests.sandbox.attacked import Attacker, attacking


@pytest.fixture(scope="module", params=["server", "user"])
def attacker(request: pytest.FixtureRequest) -> Iterator[Attacker]:
    """As whoever runs the tests (root in CI), and as somebody without rights."""
    with attacking(request.param) as one:
        yield one
