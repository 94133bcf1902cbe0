"""Where control groups may be made: trees of files stand in for those of machines that no test runs on."""

import os
from pathlib import Path

import pytest

from nodes.sandbox import cgroup
from nodes.sandbox.port import Room
from tests.contract import promise


def tree(mount: Path, own: str, controllers: str, enabled: str = "") -> tuple[Path, Path]:
    """A unified tree in which this process is in `own`."""
    place = mount / own.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    for folder in {mount, place}:
        (folder / "cgroup.controllers").write_text(controllers)
        (folder / "cgroup.subtree_control").write_text(enabled)
        (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
        (folder / "cgroup.type").write_text("domain\n")
    told = mount.parent / "cgroup"
    told.write_text(f"0::{own}\n")
    return mount, told


@promise("sandbox.memory")
def test_all_a_container_sees_is_made_use_of(tmp_path: Path) -> None:
    found = cgroup.find(*tree(tmp_path / "mount", "/", "cpu memory pids"))
    assert found
    assert (tmp_path / "mount" / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (tmp_path / "mount" / "graphnexus-server" / "cgroup.procs").read_text() == str(os.getpid())
    group = found.make(Room(), 1 << 30)
    assert [folder.parent for folder in group.directories] == [tmp_path / "mount"]
    assert group.killed() == 0
    (group.directories[0] / "memory.events").write_text("oom 3\noom_kill 2\n")
    assert group.killed() == 2


@promise("sandbox.memory")
@pytest.mark.parametrize(
    ("own", "controllers"),
    [("/system.slice/ours.service", "cpu memory pids"), ("/", "cpu io")],
    ids=["not ours", "few"],
)
def test_what_was_not_given_to_us_is_left_alone(tmp_path: Path, own: str, controllers: str) -> None:
    mount, told = tree(tmp_path / "mount", own, controllers)
    assert cgroup.find(mount, told) is None
    assert not list(mount.rglob("graphnexus-*"))


@promise("sandbox.memory")
def test_groups_a_killed_server_has_left_are_removed(tmp_path: Path) -> None:
    mount, told = tree(tmp_path / "mount", "/", "memory pids", enabled="memory pids")
    (mount / "graphnexus-999999999-1").mkdir()
    (mount / f"graphnexus-{os.getpid()}-1").mkdir()
    assert cgroup.find(mount, told)
    assert [folder.name for folder in mount.glob("graphnexus-*")] == [f"graphnexus-{os.getpid()}-1"]
