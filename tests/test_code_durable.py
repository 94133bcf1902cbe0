"""What becomes of code that runs when the server is killed."""

import os
from pathlib import Path
from typing import Any

from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.test_code_interpreter import PYTHON, python, told
from tests.told import ended, eventually
from tests.upstream import Script, says

#: A program that runs as long as nobody ends it, and that no other test starts, nor another run of the tests.
MARK = f"86399.{os.getpid()}"
SLOW = f"""\
import subprocess
ours = open('/mnt/data/half.bin', 'wb')
for _ in range(3):
    ours.write(b'x' * 1_000_000)
others = [subprocess.Popen(['sleep', '{MARK}'], start_new_session=True) for _ in range(2)]
others[0].wait()"""


def running() -> list[str]:
    """Processes of the sandbox, as the machine sees them."""
    lines: list[str] = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(place.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in lines if MARK in line]


def _demand(true: bool) -> None:
    assert true


@promise("code.interrupted")
def test_code_that_ran_when_the_server_was_killed_leaves_nothing_and_is_not_run_again(
    start_server: StartServer, script: Script, model: str, recorder: Recorder
) -> None:
    server = start_server()
    script.will(python("kept = 1; open('/mnt/data/whole.txt', 'w').write('whole')"), python(SLOW))
    with client_of(server, recorder) as client:
        made = client.responses.create(model=model, input="q", tools=[PYTHON], background=True)
        eventually(lambda: _demand(len(running()) == 2), AssertionError, limit_s=30)
        server.kill()
        eventually(lambda: _demand(not running()), AssertionError)
        script.will(python("import os; print(sorted(os.listdir('/mnt/data')), 'kept' in dir())"), says("ok"))
        server.start()
        done = ended(client, made.id)
        calls: list[Any] = [item for item in done.output if item.type == "code_interpreter_call"]
        assert [call.status for call in calls] == ["completed", "failed", "completed"]
        assert "interrupted" in told(script, 2)
        assert "['whole.txt'] False" in told(script, 3), "files of ended calls are there, of the killed one nothing"
        assert "lost" in told(script, 3), "the model knows what became of the variables"
        assert len({call.container_id for call in calls}) == 1
        files = client.containers.files.list(calls[0].container_id)
        assert [file.path for file in files] == ["/mnt/data/whole.txt"]
