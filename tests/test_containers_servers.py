"""What becomes of a container when its server stops, is killed, or is not the one that is asked."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests import postgres
from tests.answers import Answer
from tests.conftest import check_log, client_of
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder
from tests.told import eventually
from tests.upstream import Script, Upstream, calls, says

PYTHON: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
SHARED = {"GRAPHNEXUS_SECRET_KEY": "one that both know", "GRAPHNEXUS_LEASE_S": "1"}


def python(code: str) -> Answer:
    return calls("code_interpreter", code=code)


def told(script: Script) -> str:
    """What the model was told of the last call."""
    return [message["content"] for message in script.last.messages if message["role"] == "tool"][-1]


class Talk:
    """A conversation in which code is run, at whatever server."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.last_id: str | None = None

    def run(self, client: OpenAI, code: str) -> str:
        """What the model was told of the call."""
        self.script.will(python(code), says("done"))
        made = client.responses.create(
            model=self.script.model, input="q", tools=[PYTHON], previous_response_id=self.last_id
        )
        self.last_id = made.id
        self.container_id = next(item.container_id for item in made.output if item.type == "code_interpreter_call")
        return told(self.script)


@pytest.fixture(scope="module")
def pair(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers on one database and one storage."""
    path = tmp_path_factory.mktemp("containers")
    places = {"GRAPHNEXUS_DATABASE_URL": postgres.url_of(path), "GRAPHNEXUS_STORAGE_URL": str(path / "files")}
    started = [Server(path / name, upstream.url, **SHARED, **places).start() for name in ("a", "b")]
    yield started
    for server in started:
        server.kill()
        check_log(server.log())


@promise("containers.handover")
def test_a_chain_goes_on_at_another_server_with_its_variables(
    pair: list[Server], recorder: Recorder, script: Script
) -> None:
    talk = Talk(script)
    with client_of(pair[0], recorder) as a, client_of(pair[1], recorder) as b:
        assert "1" in talk.run(a, "x = 1\nopen('/mnt/data/f', 'w').write('here')\nx")
        first = talk.container_id
        for server, value in ((b, 2), (a, 3), (a, 4)):
            assert talk.run(server, "x += 1\nprint(x, open('/mnt/data/f').read())").startswith(f"{value} here")
        assert talk.container_id == first
        assert [file.path for file in b.containers.files.list(first)] == ["/mnt/data/f"]


@promise("containers.killed", "containers.whole")
def test_a_server_killed_in_mid_call_leaves_whole_files_to_the_other(
    pair: list[Server], recorder: Recorder, script: Script
) -> None:
    talk = Talk(script)
    with client_of(pair[0], recorder) as a, client_of(pair[1], recorder) as b:
        talk.run(a, "x = 1\nopen('/mnt/data/whole', 'w').write('before')")
        script.will(python("import time\nopen('/mnt/data/whole', 'w').write('half')\ntime.sleep(60)"))
        stream = OpenAI(base_url=pair[0].url, api_key="any", max_retries=0).responses.create(
            model=script.model, input="q", tools=[PYTHON], previous_response_id=talk.last_id, stream=True
        )
        assert any(event.type == "response.code_interpreter_call.interpreting" for event in stream)
        time.sleep(0.3)  # the file is half written by now
        orphans = begun_by(pair[0].pid)
        assert orphans
        pair[0].kill()
        stream.close()
        reply = talk.run(b, "print(open('/mnt/data/whole').read(), 'x' in globals())")
        assert "before False" in reply
        assert "variables" in reply, "the model is told that they are lost"
        assert b.containers.retrieve(talk.container_id).status == "running"
    eventually(lambda: alive(orphans) and pytest.fail("they outlive the server"), pytest.fail.Exception)
    pair[0].start()


@promise("containers.restart")
def test_a_server_that_is_stopped_leaves_variables_to_whoever_goes_on(
    pair: list[Server], recorder: Recorder, script: Script
) -> None:
    talk = Talk(script)
    with client_of(pair[1], recorder) as b:
        talk.run(b, "import math\nx = {'a': math.pi}\ndef f(y): return x['a'] * y")
        assert pair[1].stop() == 0
        pair[1].start()
        assert talk.run(b, "round(f(2), 2)").startswith("6.28")


def begun_by(pid: int) -> list[int]:
    """Processes that a server has begun, and those have."""
    listed = subprocess.run([shutil.which("ps") or "ps", "-eo", "pid=,ppid="], capture_output=True, text=True)
    parents = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found, ring = [], {pid}
    while ring := {child for child, parent in parents if parent in ring}:
        found += sorted(ring)
    return found


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and not _ended(pid)]


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
