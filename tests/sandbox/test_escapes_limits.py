"""Sandboxes that want too much: they are held or ended, and neither their server nor their neighbours feel it."""

import os
import secrets
import signal
import time
from pathlib import Path

import pytest

from tests.contract import promise
from tests.sandbox.attacked import PYTHON, Attacker, alive, attacking, needs_bwrap

pytestmark = needs_bwrap
MIB = 1 << 20
SMALL = {"memory_bytes": 100 * MIB, "disk_bytes": 8 * MIB, "processes": 32}
NEIGHBOUR = "import time; time.sleep(0.5); print('well')"
FULL = """
import os
def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True: file.write(bytes(1 << 20))
        except OSError as error:
            return os.fstat(file.fileno()).st_size, error.errno
total = 0
for folder in ("/mnt/data", "/tmp", "/home/user", "/", "/mnt"):
    for at in range(3):
        total += fill(f"{folder}/full-{at}")[0]
print(total, sum(fill(f"/dev/shm/full-{at}")[0] for at in range(10)))
"""
INODES = """
import os
for at in range(10**7):
    os.mkdir(f"/tmp/{at}")
"""
FORKS = """
import os, signal, threading, time
children = []
try:
    while True:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except OSError as error:
    print(len(children), error.strerror, flush=True)
for child in children: os.kill(child, 9), os.waitpid(child, 0)
threads = 0
threading.stack_size(1 << 18)
try:
    while True:
        threading.Thread(target=time.sleep, args=(2,), daemon=True).start(); threads += 1
except RuntimeError as error:
    print(threads, error, flush=True)
os._exit(0)
"""
TWENTY = """
import os, signal, time
for _ in range(20):
    if os.fork() == 0: signal.pause()
time.sleep(0.5)
print("twenty")
"""
MANY_EAT = """
import os, signal, sys, time
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        eaten = bytearray(70 << 20)
        signal.pause()
    children.append(child)
until = time.monotonic() + float(sys.argv[1])
ended = (0, 0)
while not ended[0] and time.monotonic() < until:
    time.sleep(0.02)
    ended = os.waitpid(-1, os.WNOHANG)
print("killed" if ended[1] == 9 else "well")
for child in children:
    if child != ended[0]: os.kill(child, 9)
"""
#: Memory that shows in no process.
HIDDEN = """
import mmap, time
kept = []
while True:
    kept.append(mmap.mmap(-1, 1 << 20))
    kept[-1].write(bytes(1 << 20))
    kept[-1].madvise(mmap.MADV_DONTNEED)
    if len(kept) == 400: time.sleep(60)
"""
ONE = """
try: bytes(200 << 20)
except MemoryError: print("MemoryError")
"""
TALKS = """
import os, threading
def talk(fd):
    while True: os.write(fd, b"x" * 65536)
threading.Thread(target=talk, args=(2,)).start(); talk(1)
"""
STUBBORN = """
import os, signal, sys, time
for number in set(range(1, 65)) - {9, 19, 32, 33}:
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        break
print("ready", sys.argv[1], flush=True)
while True: pass
"""
MODEST = (
    "import os; print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_BATCH, open('/proc/self/oom_score_adj').read())"
)


@pytest.fixture(params=[True, False], ids=["groups", "watch"])
def grouped(request: pytest.FixtureRequest, attacker: Attacker) -> bool:
    """By the kernel where it lets us, and by a watch."""
    if request.param and attacker.ask("limits") != "cgroup":
        pytest.skip("this user may not make control groups")
    return request.param


@promise("sandbox.disk")
def test_what_is_written_is_bounded_wherever_it_is(attacker: Attacker) -> None:
    [full] = attacker.inside(FULL, room=SMALL)
    in_all, shared = map(int, full["said"].split())
    assert 7 * MIB < in_all <= 8 * MIB
    assert 56 * MIB < shared <= 64 * MIB
    bare = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--tmpfs", "/tmp", "--dev", "/dev"]
    size = "import os; print(min(s.f_blocks * s.f_frsize for s in map(os.statvfs, ('/tmp', '/dev/shm'))))"
    assert int(attacker.outside(*bare, "--", PYTHON, "-c", size)["said"]) > 64 * MIB


@promise("sandbox.disk", "sandbox.memory")
def test_flood_of_files_ends(attacker: Attacker, grouped: bool) -> None:
    [flooded, neighbour] = attacker.inside(INODES, NEIGHBOUR, room={**SMALL, "memory_bytes": 20 * MIB}, grouped=grouped)
    assert flooded["stopped"] and flooded["seconds"] < 15, flooded
    assert neighbour["said"] == "well\n"


@promise("sandbox.forks")
def test_bombs_of_forks_and_threads_meet_their_limit(attacker: Attacker) -> None:
    [bomb, neighbour] = attacker.inside(FORKS, NEIGHBOUR, room=SMALL)
    forked, started = (int(line.split()[0]) for line in bomb["said"].splitlines())
    assert 20 < forked <= 32 and 20 < started <= 32, bomb
    assert neighbour["said"] == "well\n"


@promise("sandbox.forks")
def test_processes_of_one_sandbox_are_not_counted_in_another(attacker: Attacker) -> None:
    together = attacker.inside(TWENTY, TWENTY, TWENTY, room=SMALL)
    assert [each["said"] for each in together] == ["twenty\n"] * 3, together
    if attacker.uid:  # counted outside, the server's own processes are enough to meet it
        outside = attacker.outside("prlimit", "--nproc=1", "bwrap", "--ro-bind", "/", "/", "--unshare-all", "true")
        assert outside["status"] != 0


@promise("sandbox.memory")
def test_largest_process_ends_first_where_many_want_too_much(attacker: Attacker, grouped: bool) -> None:
    [eaten, neighbour] = attacker.inside(MANY_EAT, NEIGHBOUR, arguments=("10",), room=SMALL, grouped=grouped)
    assert (eaten["said"], eaten["status"], eaten["stopped"]) == ("killed\n", 0, None)
    assert neighbour["said"] == "well\n"
    assert attacker.outside(PYTHON, "-c", MANY_EAT, "0.5")["said"] == "well\n"


@promise("sandbox.memory")
def test_memory_that_shows_in_no_process_counts(attacker: Attacker, grouped: bool) -> None:
    [hidden, neighbour] = attacker.inside(HIDDEN, NEIGHBOUR, room=SMALL, grouped=grouped)
    assert hidden["stopped"] == "It needed more than the 100 MiB of memory there are."
    assert hidden["seconds"] < 8
    assert neighbour["said"] == "well\n"


@promise("sandbox.memory")
def test_one_process_meets_a_memory_error(attacker: Attacker) -> None:
    [one] = attacker.inside(ONE, room=SMALL)
    assert (one["said"], one["stopped"]) == ("MemoryError\n", None)
    assert attacker.outside(PYTHON, "-c", ONE)["said"] == ""


@promise("sandbox.output")
def test_endless_output_fills_no_memory_of_the_server(attacker: Attacker) -> None:
    attacker.ask("keep", programs=[])  # it has loaded what it needs
    before = resident(attacker.process.pid)
    attacker.ask("keep", programs=[[PYTHON, "-c", "print('on', flush=True)\n" + TALKS]])
    time.sleep(0.5)  # a server that read on would have some hundred MB by then
    assert resident(attacker.process.pid) - before < 16 * MIB
    assert attacker.ask("end") < 2


@promise("sandbox.time")
def test_busy_code_gives_way_to_the_server(attacker: Attacker) -> None:
    [modest] = attacker.inside(MODEST)
    assert modest["said"].split() == ["19", "True", "500"]
    assert attacker.outside(PYTHON, "-c", MODEST)["said"].split() == ["0", "False", "0"]


@promise("sandbox.time", "sandbox.orphans")
def test_code_that_ignores_every_signal_ends_with_its_orphans(attacker: Attacker) -> None:
    mark = secrets.token_hex(8)
    assert attacker.ask("keep", programs=[[PYTHON, "-c", STUBBORN, mark]]) == [f"ready {mark}"]
    os.kill(alive(mark)[-1], signal.SIGINT)
    assert alive(mark)
    assert attacker.ask("end") < 2
    gone(mark)


@promise("sandbox.orphans")
def test_orphans_end_with_the_program(attacker: Attacker) -> None:
    mark = secrets.token_hex(8)
    leaves = "import os, sys, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(60)\n os._exit(0)"
    [left] = attacker.ask("inside", programs=[[PYTHON, "-c", leaves, mark]])
    assert left["status"] == 0 and left["seconds"] < 5
    gone(mark)


@promise("sandbox.orphans")
def test_sandbox_that_is_killed_while_it_begins_leaves_no_process(attacker: Attacker) -> None:
    mark = secrets.token_hex(8)
    attacker.ask("flash", program=["/bin/sleep", "60", mark], delays=[at / 400 for at in range(16)])
    gone(mark)


@promise("sandbox.orphans")
@pytest.mark.parametrize("who", ["server", "user"])
def test_server_that_is_killed_leaves_no_process(who: str) -> None:
    mark = secrets.token_hex(8)
    with attacking(who) as server:
        server.ask("keep", programs=[[PYTHON, "-c", STUBBORN, mark]] * 2)
        assert alive(mark)
        server.process.kill()
        server.process.wait()
        gone(mark)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def gone(mark: str) -> None:
    """All that bear the mark end, soon."""
    until = time.monotonic() + 10
    while alive(mark) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(mark)
