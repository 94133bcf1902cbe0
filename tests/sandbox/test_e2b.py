"""Sandboxes by E2B, with its own SDK: against a server that speaks its interface, and a real one where there is.

`GRAPHNEXUS_TEST_E2B_URL` is the address of a code-interpreter server of E2B, e.g. `http://localhost:49999`.
"""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.errors import ToolFailed
from nodes.sandbox.e2b import E2b
from nodes.sandbox.port import FILES, Broken, Changes, Commanded, Made, Output, Ran, Room, Sandbox
from tests.contract import promise
from tests.sandbox.e2b_server import e2b_server

REAL = os.environ.get("GRAPHNEXUS_TEST_E2B_URL")
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\npicture").decode()


@pytest.fixture(scope="module", params=["speaks", "real"])
async def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    if request.param == "real":
        if not REAL:
            pytest.skip("no address of a real one in GRAPHNEXUS_TEST_E2B_URL")
        opened = await E2b(None, debug_url=REAL, files=FILES).open(Room())
        yield opened
        await opened.close()
        return
    async with e2b_server() as url:
        ways = E2b(None, debug_url=url, files=str(tmp_path_factory.mktemp("files")))
        assert await ways.problem() is None
        opened = await ways.open(Room())
        yield opened
        await opened.close()
        assert not opened.alive


async def ran(sandbox: Sandbox, code: str, timeout_s: float = 20) -> Ran:
    heard: list[Output] = []
    found = await sandbox.run_code(code, timeout_s, heard.append)
    assert "".join(one.value for one in heard) == "".join(one.value for one in found.outputs)
    return found


@promise("e2b.code")
async def test_code_keeps_its_variables_and_shows_the_last_expression(sandbox: Sandbox) -> None:
    assert await ran(sandbox, "x = 41\nprint('hello')") == Ran([Output("logs", "hello\n")])
    assert await ran(sandbox, "x + 1") == Ran([Output("logs", "42\n")])
    [failed] = (await ran(sandbox, "1 / 0")).outputs
    assert "ZeroDivisionError: division by zero" in failed.value
    assert "\x1b" not in failed.value


@promise("e2b.code")
async def test_a_picture_is_a_picture(sandbox: Sandbox) -> None:
    code = f"import base64\nclass P:\n  def _repr_png_(self): return base64.b64decode({PNG!r})\nP()"
    assert (await ran(sandbox, code)).outputs[-1] == Output("image", PNG)


@promise("e2b.limits")
async def test_code_that_takes_too_long_is_interrupted_and_variables_stay(sandbox: Sandbox) -> None:
    await ran(sandbox, "kept = 7")
    stopped = await ran(sandbox, "import time\nprint('begun')\ntime.sleep(60)", 0.5)
    assert stopped == Ran([Output("logs", "begun\n")], "It ran longer than 0.5 s and was interrupted.")
    assert await ran(sandbox, "kept") == Ran([Output("logs", "7\n")])


@promise("e2b.limits")
async def test_code_that_does_not_heed_the_interrupt_is_left_behind(sandbox: Sandbox) -> None:
    await ran(sandbox, "kept = 7")
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(15)"
    assert "its variables are lost" in ((await ran(sandbox, code, 0.3)).stopped or "")
    assert "NameError" in (await ran(sandbox, "kept")).outputs[0].value


@promise("e2b.files")
async def test_files_go_in_and_come_out(sandbox: Sandbox) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(3):
            yield bytes([at]) * 400_000

    await sandbox.put("in/data.bin", chunks())
    assert await sandbox.changes() == Changes([], [])  # what was put in is no change
    assert await ran(sandbox, "len(open('in/data.bin', 'rb').read())") == Ran([Output("logs", "1200000\n")])
    await ran(sandbox, "n = open('out.txt', 'w').write('made')")
    assert await sandbox.changes() == Changes([Made("out.txt", 4)], [])
    assert b"".join([piece async for piece in sandbox.get("in/data.bin")])[399_999:400_001] == b"\0\1"
    await sandbox.remove("in/data.bin")
    await ran(sandbox, "import os; os.remove('out.txt')")
    assert await sandbox.changes() == Changes([], ["out.txt"])
    with pytest.raises(FileNotFoundError):
        _ = [piece async for piece in sandbox.get("out.txt")]
    with pytest.raises(ToolFailed):
        await sandbox.put("../out", chunks())


@promise("e2b.files")
async def test_commands_run_beside_the_code(sandbox: Sandbox) -> None:
    heard: list[tuple[str, str]] = []
    done = await sandbox.run_command(
        "echo out; echo err >&2; exit 3", 20, lambda kind, text: heard.append((kind, text))
    )
    assert done == Commanded("out\n", "err\n", 3)
    assert sorted(heard) == [("stderr", "err\n"), ("stdout", "out\n")]
    assert (await sandbox.run_command("sleep 30", 0.3, lambda _kind, _text: None)).exit_code is None


@promise("e2b.reasons")
async def test_what_is_not_there_is_said() -> None:
    assert "has no key" in (await E2b(None).problem() or "")
    assert await E2b(None, debug_url="http://127.0.0.1:9").problem() == (
        "The sandbox at E2B cannot be used: ConnectError."
    )


@promise("e2b.reasons")
async def test_a_sandbox_that_has_gone_is_broken(tmp_path: Path) -> None:
    async with e2b_server() as url:
        opened = await E2b(None, debug_url=url, files=str(tmp_path)).open(Room())
    with pytest.raises(Broken):
        await opened.run_code("1", 5, lambda _: None)
    assert not opened.alive
    async with asyncio.timeout(10):
        await opened.close()
