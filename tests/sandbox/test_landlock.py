"""Sandboxes by Landlock: what code cannot do, as root's child and as an ordinary user's."""

import json
import os
import platform
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.contract import promise
from tests.sandbox.landlocked import ATTACKS, running

Json = dict[str, Any]
ROOT = Path(__file__).parent.parent.parent
NOBODY = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Landlock")
users = pytest.mark.parametrize("user", ["self", "other"])


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


@cache
def python() -> str:
    """One that any user may run, and that can load our libraries."""
    wanted = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (Path(getattr(sys, "_base_executable", sys.executable)), Path("/usr/bin") / wanted):
        if found.exists() and _open_to_all(found.resolve()):
            return str(found)
    pytest.skip(f"no {wanted} here that every user may run")


def command(user: str, *more: str) -> list[str]:
    if user == "other" and os.geteuid() != 0:
        pytest.skip("only root can be another")
    return [*(NOBODY if user == "other" else []), python(), "-m", "tests.sandbox.landlocked", python(), *more]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """With a directory for temporary files that every user may use; pytest closes its own to others."""
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    with tempfile.TemporaryDirectory() as tmp:
        Path(tmp).chmod(0o1777)
        yield {"PYTHONPATH": f"{ROOT}:{libraries}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"],
               "TMPDIR": tmp}  # fmt: skip


@pytest.fixture(scope="module", params=["self", "other"])
def report(request: pytest.FixtureRequest, environment: dict[str, str]) -> Json:
    """What all attacks came to: of a server that is whoever runs the tests, and of one that is nobody special."""
    if platform.machine() not in ("x86_64",):
        pytest.skip("the attacks know the calls of x86_64")
    done = subprocess.run(command(request.param), env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    if found["problem"]:
        pytest.skip(found["problem"])
    return found


@promise("landlock.escapes")
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_goes_through_outside_does_not_inside(report: Json, attack: str) -> None:
    assert report["inside"][attack].startswith("closed"), report["inside"][attack]
    if report["outside"][attack].startswith("closed"):
        pytest.skip(f"does not go through outside, either ({report['outside'][attack]})")


@promise("landlock.escapes")
def test_files_outside_stay_as_they_are(report: Json) -> None:
    assert report["own"].strip("x") == "mine"
    assert report["own"].count("x") == 1  # that of the attack outside
    assert not report["mode"]


@promise("landlock.limits")
def test_memory_disk_and_processes_end_for_one_sandbox_alone(report: Json) -> None:
    assert report["memory"] == ["MemoryError"]
    assert report["disk"] == "27"
    assert 0 < int(report["forks"]) <= 42  # those too many were refused, or killed as they came
    assert report["files"] == ["'/mnt/data'", "(42, 'here')"]


@promise("landlock.end")
def test_nothing_outlives_its_sandbox(report: Json) -> None:
    assert report["orphans"] == [True, False]
    assert report["left"] == []


@users
@promise("landlock.end")
def test_nothing_outlives_a_server_that_is_killed(user: str, environment: dict[str, str]) -> None:
    hanging = command(user, "hang")
    with subprocess.Popen(hanging, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        if (pid := int(server.stdout.readline())) == 0:
            pytest.skip("it does not work here")
        assert running(f"1{pid}")
        os.kill(pid, signal.SIGKILL)
        server.wait()
    limit = time.monotonic() + 5
    while running(f"1{pid}") and time.monotonic() < limit:
        time.sleep(0.02)
    assert not running(f"1{pid}")
