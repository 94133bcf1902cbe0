"""Replicas that disagree about the time or about their version, and those with the settings everybody has."""

from pathlib import Path

from server.settings import Settings
from tests.contract import promise
from tests.faults.arena import World, arena
from tests.faults.cell import run
from tests.faults.point import Point

HOUR_S = 3600
DEFAULT_LEASE_S = Settings.model_fields["lease_s"].default


def check(directory: Path, world: World, *faults: str) -> None:
    with arena("shared", directory, world) as here:
        for fault in faults:
            outcome = run(here, Point("strike done"), fault)
            assert not outcome.problems, "\n".join(outcome.problems)


@promise("faults.clocks")
def test_replicas_whose_clocks_are_two_hours_apart_neither_take_over_nor_leave_behind(tmp_path: Path) -> None:
    clocks = ({"FAULTS_CLOCK": str(by_s)} for by_s in (-HOUR_S, HOUR_S))
    check(tmp_path, World(first=next(clocks), second=next(clocks)), "nothing", "kill -9")


@promise("faults.versions")
def test_a_replica_of_the_next_version_goes_on_with_what_one_of_the_last_began(tmp_path: Path) -> None:
    """The code is the same on both, and so is the schema: what differs is the version they say they are."""
    check(tmp_path, World(second={"FAULTS_VERSION": "99.0.0"}), "kill -9")


@promise("faults.takeover")
def test_with_default_settings_a_dead_replica_is_made_up_for_within_ten_seconds(tmp_path: Path) -> None:
    check(tmp_path, World(lease_s=DEFAULT_LEASE_S), "kill -9")
