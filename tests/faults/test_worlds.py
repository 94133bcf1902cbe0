"""Replicas that disagree about the time or about their version, and those with the settings everybody has."""

from pathlib import Path

import pytest

from server.settings import Settings
from tests.contract import promise
from tests.faults.arena import World, arena
from tests.faults.cell import run
from tests.faults.matrix import points_of
from tests.faults.point import Point

pytestmark = pytest.mark.timeout(300)  # servers are started again and again, on machines with other work to do
HOUR_S = 3600
DEFAULT_LEASE_S = Settings.model_fields["lease_s"].default


def check(directory: Path, world: World, *faults: str, limit_s: float = 20.0) -> None:
    with arena("shared", directory, world) as here:
        for fault in faults:
            outcome = run(here, Point("strike done"), fault, limit_s=limit_s)
            assert not outcome.problems, "\n".join(outcome.problems)


@promise("faults.clocks", "faults.versions")
def test_replicas_of_two_versions_and_two_hours_apart_neither_take_over_nor_leave_behind(tmp_path: Path) -> None:
    """The code is the same on both, and so is the schema: what differs is the version they say they are."""
    behind = {"FAULTS_CLOCK": str(-HOUR_S)}
    ahead = {"FAULTS_CLOCK": str(HOUR_S), "FAULTS_VERSION": "99.0.0"}
    check(tmp_path, World(first=behind, second=ahead), "nothing", "kill -9")


@promise("faults.takeover")
def test_with_default_settings_a_dead_replica_is_made_up_for_within_ten_seconds(tmp_path: Path) -> None:
    check(tmp_path, World(lease_s=DEFAULT_LEASE_S), "kill -9", limit_s=10.0)


@promise("faults.recovery")
def test_with_default_settings_a_lone_server_makes_what_it_had_only_written_down(tmp_path: Path) -> None:
    """Its caller was not answered, asks again at once, and finds the conversation free in ten seconds."""
    with arena("sqlite", tmp_path, World(lease_s=DEFAULT_LEASE_S)) as here:
        point = next(point for point in points_of(here) if str(point) == "after checkpoint 0")
        outcome = run(here, point, "kill -9", in_conversation=True)
        assert not outcome.problems, "\n".join(outcome.problems)
