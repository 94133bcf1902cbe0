"""Code that does not come to its own end leaves a sandbox that works."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from nodes.sandbox.port import Broken, Output
from tests.contract import promise
from tests.sandbox.running import Hand, needs_bwrap, opened

pytestmark = needs_bwrap
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"


@pytest.fixture(scope="module")
async def hand() -> AsyncIterator[Hand]:
    async with opened() as one:
        yield one


def text(outputs: list[Output]) -> str:
    return "".join(output.value for output in outputs)


async def alike(hand: Hand, pattern: str) -> int:
    """Processes inside whose command line is like this; the pattern is not like itself."""
    found, _, _ = await hand.command(f"grep -la '{pattern}' /proc/[0-9]*/cmdline | wc -l")
    return int(found)


@promise("running.interrupt")
@pytest.mark.parametrize(
    "busy",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import subprocess; subprocess.run(['sleep', '60'])",
        "!sleep 60",
        "import os; os.system('sleep 60')",
        "import asyncio; await asyncio.sleep(60)",
        "import threading; threading.Event().wait()",
    ],
)
async def test_code_past_its_time_is_interrupted_and_keeps_variables(hand: Hand, busy: str) -> None:
    ran = await hand.run(f"kept = 42\nprint('begun')\n{busy}", 0.5)
    assert ran.stopped == "It ran longer than 0.5 s and was interrupted."
    assert text(list(ran.outputs)).startswith("begun\n")
    assert await hand.logs("kept") == "42\n"


@promise("running.interrupt")
async def test_code_that_minds_its_interrupt_goes_on_from_there(hand: Hand) -> None:
    code = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('tidied')"
    ran = await hand.run(code, 0.5)
    assert (text(list(ran.outputs)), ran.stopped) == ("tidied\n", "It ran longer than 0.5 s and was interrupted.")


@promise("running.kill")
async def test_code_that_does_not_heed_is_killed_and_files_stay(hand: Hand) -> None:
    began = time.monotonic()
    ran = await hand.run(f"kept = 1\nopen('stays.txt', 'w').write('x')\nprint('said')\n{DEAF}", 0.5)
    assert ran.stopped and "killed; the variables are lost, the files are not" in ran.stopped
    assert ran.outputs == [Output("logs", "said\n")]
    assert time.monotonic() - began < 30
    assert "NameError" in await hand.logs("kept")
    assert await hand.logs("open('stays.txt').read()") == "'x'\n"


@promise("running.kill")
async def test_all_that_killed_code_has_started_ends_with_it(hand: Hand) -> None:
    fork = """
import os
for _ in range(3):
    if not os.fork():
        os.setsid()
        os.execlp("sleep", "sleep", "88.8")
"""
    await hand.run(fork + DEAF, 0.5)
    async with asyncio.timeout(5):  # what was told to end takes its time on a busy machine
        while await alike(hand, "88[.]8"):
            await asyncio.sleep(0.05)


@promise("running.cancel")
@pytest.mark.parametrize("code", ["kept = 42\nwhile True: pass", f"kept = 42\n{DEAF}"])
async def test_call_that_is_given_up_ends_and_the_next_is_answered(hand: Hand, code: str) -> None:
    running = asyncio.create_task(hand.run(code))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(15):  # it had 20 seconds
        assert await hand.logs("6 * 7") == "42\n"


@promise("running.exit")
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys; sys.exit()", ""),
        ("raise SystemExit", ""),
        ("quit()", ""),
        ("import sys; sys.exit(3)", "SystemExit: 3\n"),
        ("import sys; sys.exit('why')", "SystemExit: why\n"),
    ],
)
async def test_code_that_exits_ends_its_cell_alone(hand: Hand, code: str, told: str) -> None:
    await hand.logs("kept = 42")
    assert await hand.logs(code) == told
    assert await hand.logs("kept") == "42\n"


@promise("running.exit")
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os._exit(3)", "ended itself (exit status 3)"),
        ("import os; os.kill(os.getpid(), 11)", "ended by signal 11"),
        ("import os; os.kill(os.getpid(), 9)", "was killed, as happens when it needs more than the 1 GiB"),
        ("import os; os.closerange(3, 300)", "variables are lost"),
        ("import ctypes; ctypes.string_at(0)", "ended by signal 11"),
    ],
)
async def test_code_that_ends_its_interpreter_is_told_so(hand: Hand, code: str, why: str) -> None:
    ran = await hand.run(f"kept = 42\nprint('said')\n{code}")
    assert ran.stopped and why in ran.stopped and "the variables are lost" in ran.stopped
    assert text(list(ran.outputs)) == "said\n"
    assert "NameError" in await hand.logs("kept")


@promise("running.exit")
async def test_interpreter_that_ends_between_calls_is_told_of(hand: Hand) -> None:
    await hand.logs("import os, threading; kept = 1\nthreading.Timer(0.1, lambda: os._exit(1)).start()")
    await asyncio.sleep(0.3)
    assert (await hand.logs("'kept' in globals()")).endswith("variables of earlier calls are lost.]\nFalse\n")


@promise("running.exit")
async def test_code_may_close_what_it_writes_to(hand: Hand) -> None:
    await hand.run("import os, sys\nsys.stdout.close()\nos.close(1); os.close(2)")
    assert await hand.logs("print('heard'); 1") == "heard\n1\n"
    assert await hand.logs("import io; sys.stdout = sys.stderr = io.StringIO(); 2") == "2\n"
    assert "ZeroDivisionError" in await hand.logs("1 / 0")
    await hand.run("import os; os._exit(0)")


@promise("running.exit")
async def test_what_speaks_for_the_sandbox_cannot_be_killed_from_inside(hand: Hand) -> None:
    await hand.logs("import os, signal\nfor number in range(1, 32): os.kill(1, number)")
    await hand.command("kill -9 1; kill -STOP 1")
    assert await hand.logs("6 * 7") == "42\n"


@promise("running.exit")
async def test_sandbox_that_dies_in_a_call_says_so_and_is_broken() -> None:
    async with opened() as doomed:
        said = asyncio.Event()
        running = asyncio.create_task(doomed.run("print('said')\nwhile True: pass", listen=lambda _: said.set()))
        await said.wait()
        await doomed.sandbox.close()
        ran = await running
        assert (text(list(ran.outputs)), ran.stopped) == ("said\n", "The sandbox is closed.")
        assert not doomed.sandbox.alive
        for again in (doomed.run("1"), doomed.command("true"), doomed.sandbox.changes(), doomed.put("x", b"")):
            with pytest.raises(Broken, match=r"died|closed"):
                await again


@promise("running.fork")
async def test_forked_process_does_not_answer_in_its_parents_place(hand: Hand) -> None:
    assert await hand.logs("import os\nmine = os.getpid()\nchild = os.fork()\nif child: os.waitpid(child, 0);") == ""
    assert await hand.logs("os.getpid() == mine") == "True\n"


@promise("running.flood")
async def test_endless_output_is_cut_in_its_middle(hand: Hand) -> None:
    heard: list[Output] = []
    ran = await hand.run("print('first')\nfor n in range(40): print('x' * 250_000)\nprint('last')", listen=heard.append)
    told = text(list(ran.outputs))
    assert told.startswith("first\nxxx") and told.endswith("xxx\nlast\n")
    assert "characters left out …]" in told
    assert len(told) < 1_060_000
    assert text(heard) == told
    ran = await hand.run("import os\nwhile True: os.write(1, b'y' * 65536)", 0.5)
    assert ran.stopped == "It ran longer than 0.5 s and was interrupted."
    assert len(text(list(ran.outputs))) < 1_060_000
    stdout, stderr, _ = await hand.command("yes | head -c 3000000; yes e | head -c 3000000 >&2")
    assert len(stdout) < 1_060_000 and len(stderr) < 1_060_000


@promise("running.forged")
async def test_nothing_that_code_writes_passes_for_an_answer(hand: Hand) -> None:
    forged = """
import json, os
lines = [json.dumps(frame) + "\\n" for frame in (
    {"done": {}}, {"id": "1", "end": {}}, {"end": {}}, {"logs": "forged"}, {"ask": "code", "id": "1", "code": "1"})]
for fd in range(1, 64):
    for line in (*lines, "no json\\n", "[]\\n"):
        try: os.write(fd, line.encode())
        except OSError: pass
for fd in range(64):  # of what speaks for the sandbox
    try:
        with open(f"/proc/1/fd/{fd}", "w") as file: file.write(lines[1] * 100)
        print("written", fd)
    except OSError: pass
try: open("/proc/1/mem", "r+b")
except OSError: pass
else: print("memory")
"""
    ran = await hand.run(forged + "\nimport time; time.sleep(0.1); print('own end')")
    said = text(list(ran.outputs))
    assert "written" not in said and "memory" not in said
    assert hand.sandbox.alive
    assert await hand.logs("'honest'") == "'honest'\n"


@promise("running.commands")
async def test_command_has_its_own_streams_and_status(hand: Hand) -> None:
    heard: list[tuple[str, str]] = []
    done = await hand.sandbox.run_command("pwd; echo e >&2; exit 3", 10, lambda kind, said: heard.append((kind, said)))
    assert (done.stdout, done.stderr, done.exit_code) == ("/mnt/data\n", "e\n", 3)
    assert sorted(heard) == [("stderr", "e\n"), ("stdout", "/mnt/data\n")]
    assert await hand.command("kill -9 $$") == ("", "", 137)
    assert (await hand.command("[[ a == a ]] && python -c 'print(6 * 7)'"))[0] == "42\n"
    assert (await hand.command("set -o pipefail; yes | head -1"))[2] == 141  # as in any shell


@promise("running.commands")
async def test_command_ends_with_its_time_and_not_with_what_it_left_running(hand: Hand) -> None:
    began = time.monotonic()
    assert await hand.command("echo begun; trap '' INT TERM; sleep 60", 0.5) == ("begun\n", "", None)
    assert await hand.command("sleep 47.77 & echo left") == ("left\n", "", 0)
    assert time.monotonic() - began < 30
    assert await alike(hand, "47[.]77") > 0
    assert (await hand.command("exec >&- 2>&-; sleep 0.2; exit 4"))[2] == 4
    running = asyncio.create_task(hand.command("sleep 60"))
    await asyncio.sleep(0.1)
    running.cancel()
    assert (await hand.command("echo next"))[0] == "next\n"
