"""Sandboxes by Docker or Podman, on a real engine where there is one."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nodes.sandbox.docker import PYTHON, Docker
from nodes.sandbox.local import LocalSandboxes
from nodes.sandbox.port import Made, Room
from tests.contract import promise

#: Beside those that are usual: one that was made on this machine.
IMAGES = [
    os.environ.get("GRAPHNEXUS_TEST_DOCKER_IMAGE", "docker.io/library/python:3.12-slim"),
    "localhost/graphnexus-test:latest",
]
ENGINES = [["docker"], ["podman"], ["podman", "--runtime", "runc"]]
CODE = """
import os, socket, time
def tried(attack):
    try:
        attack()
        return "open"
    except OSError as error:
        return "closed"
open("/mnt/data/made", "w").write("here")
print(tried(lambda: socket.create_connection(("1.1.1.1", 80), 2)), tried(lambda: open("/usr/x", "w")), os.getuid() > 0)
print([line for line in open("/proc/self/status") if line.startswith("CapBnd")][0].split()[1])
print(open("/proc/self/status").read().count("NoNewPrivs:\\t1"))
print([line.split()[3][:3] for line in open("/proc/self/mounts") if line.split()[1] == "/"])
"""


@pytest.fixture(scope="module")
async def ways() -> LocalSandboxes:
    """The first engine that has an image with Python."""
    reasons: list[str] = []
    for engine in ENGINES:
        if not shutil.which(engine[0]):
            reasons.append(f"{engine[0]} is not installed")
            continue
        for image in IMAGES:
            found = LocalSandboxes(Docker(image, engine), PYTHON)
            if (reason := await found.problem()) is None:
                return found
            reasons.append(f"{' '.join(engine)}: {reason}")
    pytest.skip("; ".join(reasons))


def containers() -> str:
    told = [
        subprocess.run([*engine, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True).stdout
        for engine in ENGINES[:2]
        if shutil.which(engine[0])
    ]
    return "".join(told)


@promise("docker.sandbox")
async def test_a_container_holds_what_runs_in_it(ways: LocalSandboxes) -> None:
    sandbox = await ways.open(Room())
    try:
        ran = await sandbox.run_code(CODE, 20, lambda _: None)
        told = "".join(output.value for output in ran.outputs)
        assert told.splitlines() == ["closed closed True", "0" * 16, "1", "['ro,']"]
        assert await sandbox.changes() == ([Made("made", 4)], [])
        assert "graphnexus-sandbox-" in await asyncio.to_thread(containers)
    finally:
        await sandbox.close()
    async with asyncio.timeout(20):
        while "graphnexus-sandbox-" in await asyncio.to_thread(containers):
            await asyncio.sleep(0.1)


@promise("docker.reasons")
async def test_without_an_engine_it_is_said_what_there_is() -> None:
    assert "No such file" in (await Docker("python", ["/nonexistent/docker"]).problem() or "")
    assert "no engine answers `false version`" in (
        await Docker("python", [shutil.which("false") or ""]).problem() or ""
    )


@promise("docker.reasons")
async def test_an_image_that_is_not_there_is_named_and_not_fetched(tmp_path: Path) -> None:
    """An engine that knows no image: whatever else it is asked fails the test."""
    engine = tmp_path / "docker"
    engine.write_text("#!/bin/sh\n[ $1 = version ] && exit 0\n[ $1 = image ] && exit 1\necho $1 >>asked\n")
    engine.chmod(0o755)
    reason = await Docker("docker.io/library/python:3.12-slim", ["/bin/sh", str(engine)]).problem()
    assert reason == "the image is not there; `sh pull docker.io/library/python:3.12-slim` gets it."
