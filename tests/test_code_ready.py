"""Sandboxes are kept ready for those who run code, and for nobody else."""

import time
from pathlib import Path

from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder
from tests.test_code_interpreter import PYTHON, python, told
from tests.told import eventually
from tests.upstream import Script, says


def sandboxes(server: Server) -> int:
    """Those the server has open."""
    found = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
            found += parent == server.pid and b"bwrap" in place.with_name("cmdline").read_bytes()
        except OSError:
            continue
    return found


@promise("code.ready")
def test_a_sandbox_is_ready_when_the_model_has_written_its_code(
    start_server: StartServer, script: Script, model: str, recorder: Recorder
) -> None:
    server = start_server(GRAPHNEXUS_SANDBOX_POOL="1")
    time.sleep(1)
    assert sandboxes(server) == 0, "nobody has wanted one"

    def another() -> None:
        assert sandboxes(server) == 2, "the next is ready"

    script.will(python("print(6 * 7)"), says("ok"))
    with client_of(server, recorder) as client:
        client.responses.create(model=model, input="q", tools=[PYTHON])
    assert told(script) == "42"
    eventually(another, AssertionError)
