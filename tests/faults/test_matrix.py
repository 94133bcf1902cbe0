"""A part of the fault matrix that is quick to run: each fault at the points where it could do most harm.

`python -m tests.faults` runs all of it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.contract import promise
from tests.faults.arena import Arena, arena
from tests.faults.cell import run
from tests.faults.matrix import points_of
from tests.faults.reader import Reader

#: Store, fault and point.
CELLS = [
    ("sqlite", "kill -9", "within checkpoint 0"),
    ("sqlite", "kill -9", "after call noted"),
    ("sqlite", "kill -9", "model 2 speaks"),
    ("sqlite", "kill -9", "within finish"),
    ("sqlite", "SIGSTOP", "within checkpoint 2"),
    ("sqlite", "SIGTERM", "model 2 speaks"),
    ("postgresql", "kill -9", "before checkpoint 0"),
    ("postgresql", "kill -9", "strike done"),
    ("postgresql", "SIGSTOP", "before checkpoint 2"),
    ("postgresql", "SIGSTOP", "within checkpoint 1"),
    ("postgresql", "database restart", "within checkpoint 1"),
]

LONG_S = 20.0
pytestmark = pytest.mark.timeout(300)  # servers are started again and again, on machines with other work to do
Open = Callable[[str], Arena]


@pytest.fixture(scope="module")
def arenas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    with ExitStack() as opened:

        @cache
        def open_(kind: str) -> Arena:
            here = opened.enter_context(arena(kind, tmp_path_factory.mktemp(kind)))
            opened.callback(lambda: told_on.extend(here.told_on()))
            return here

        told_on: list[str] = []
        yield open_
    assert not told_on, f"secrets of callers are in {told_on}"


@promise("faults.recovery", "faults.fencing", "faults.unsafe_calls", "faults.numbers", "faults.secrets")
@pytest.mark.parametrize(("kind", "fault", "at"), CELLS, ids=lambda name: name.replace(" ", "-"))
def test_a_response_survives(arenas: Open, kind: str, fault: str, at: str) -> None:
    here = arenas(kind)
    point = next(point for point in points_of(here) if str(point) == at)
    outcome = run(here, point, fault, in_conversation=len(at) % 2 == 0, limit_s=LONG_S)
    assert not outcome.problems, "\n".join(outcome.problems)


@promise("faults.leaving")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_client_that_is_gone_after_the_first_event_finds_everything_later(arenas: Open, kind: str) -> None:
    here = arenas(kind)
    scene = here.scene()
    first = Reader(here.servers, scene.body(), patience_s=LONG_S).start()
    assert first.has(1, LONG_S)
    first.stop()
    again = Reader(here.servers, None).start(first.response_id)
    assert again.over(LONG_S) and not again.problems
    again.stop()
    assert again.raw.startswith(b"".join(first.frames))
    assert here.get(f"/responses/{first.response_id}")["status"] == "completed"
    assert scene.ran("strike") == 1
    assert not here.left_over(5)
