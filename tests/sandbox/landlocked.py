"""Opens a sandbox by Landlock as whoever runs it, and tells what attacks came to inside and outside: JSON on stdout.

`python -m tests.sandbox.landlocked PYTHON [hang]`
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from nodes.sandbox.interpreter import find
from nodes.sandbox.landlock import Landlock
from nodes.sandbox.local import LocalSandboxes
from nodes.sandbox.mapped import MappedSandboxes
from nodes.sandbox.port import Output, Room, Sandbox

#: Each goes through where nothing is in its way. `SERVER`, `SOCKET` and `OWN` are a process, a name and a file.
ATTACKS = {
    "host files": "open('/etc/passwd').read()",
    "the root": "os.listdir('/')",
    "processes": "os.listdir('/proc')",
    "environment": "open(f'/proc/{SERVER}/environ', 'rb').read()",
    "code of the server": "os.listdir(CODE)",
    "internet sockets": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "datagrams": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "other families": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "unix sockets": "socket.socket(socket.AF_UNIX).connect(chr(0) + SOCKET)",
    "unix datagrams": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', OWN + '.socket')",
    "signals": "os.kill(SERVER, 0)",
    "limits of others": "resource.prlimit(SERVER, resource.RLIMIT_NOFILE)",
    "processors of others": "os.sched_setaffinity(SERVER, os.sched_getaffinity(SERVER))",
    "shared memory": "call(29, 0, 4096, 0o1600)",
    "nameless memory": "os.memfd_create('x')",
    "message queues": "call(240, b'x', 0o102, 0o600, 0)",
    "keys": "call(250, 0, -3, 0)",
    "io_uring": "call(425, 1, ctypes.create_string_buffer(120))",
    "namespaces": "call(272, 0x10000000)",
    "writing elsewhere": "open(OWN, 'a').write('x')",
    "removing elsewhere": "os.rename(OWN, OWN + '.x')",
    "owners elsewhere": "os.chown(OWN, os.getuid(), os.getgid())",
}
_PRELUDE = """
import ctypes, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(*given):
    if libc.syscall(*[ctypes.c_long(one) if isinstance(one, int) else one for one in given]) < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""
_TRIED = """
try:
    {attack}
    print("open")
except OSError as error:
    print("closed", error.errno)
"""
_ORPHAN = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execv("/bin/sleep", ["sleep", "MARK"])
time.sleep(0.2)
"""
_FORKS = """
import os, signal, time
made = []
for _ in range(200):
    try:
        made.append(os.fork())
    except OSError:
        break
    if made[-1] == 0:
        time.sleep(20)
        os._exit(0)
time.sleep(.1)
alive = [pid for pid in made if os.waitpid(pid, os.WNOHANG) == (0, 0)]
for pid in alive:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(len(alive))
"""
_DISK = """
import os, time
try:
    for at in range(60):
        time.sleep(0.03)
        open(f"full-{at}", "wb").write(b"x" * (2 << 20))
except OSError as error:
    print(error.errno)
for at in range(60):
    if os.path.exists(f"full-{at}"):
        os.remove(f"full-{at}")
"""
#: There is room again soon.
_KEPT = """
import os, time
for _ in range(100):
    try:
        with open("/mnt/data/a", "w") as file:
            file.write("here")
        break
    except OSError:
        time.sleep(0.05)
x = 41
os.getcwd()
"""


def told(ran: object) -> str:
    return "".join(output.value for output in ran.outputs)  # type: ignore[attr-defined]


def nobody(_: Output) -> None: ...


async def attacked(sandbox: Sandbox, given: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, attack in ATTACKS.items():
        ran = await sandbox.run_code(_PRELUDE + given + _TRIED.format(attack=attack), 20, nobody)
        found[name] = told(ran).strip()
    return found


def outside(given: str) -> dict[str, str]:
    """The same, with nothing in the way."""
    found: dict[str, str] = {}
    for name, attack in ATTACKS.items():
        said: list[str] = []
        exec(_PRELUDE + given + _TRIED.format(attack=attack), {"print": lambda *words, said=said: said.extend(words)})
        found[name] = " ".join(map(str, said))
        Path(f"{OWN}.x").exists() and Path(f"{OWN}.x").rename(OWN)
    return found


OWN = ""


async def main(python: str, mark: str) -> None:
    global OWN
    directory = tempfile.mkdtemp(prefix="outside-")
    OWN = f"{directory}/own"
    Path(directory).chmod(0o755)
    Path(OWN).write_text("mine")
    name = f"graphnexus-test-{os.getpid()}"
    stream, datagrams = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stream.bind(f"\0{name}")
    stream.listen()
    datagrams.bind(f"{OWN}.socket")
    Path(f"{OWN}.socket").chmod(0o666)
    code = str(Path(__file__).parent.parent.parent / "graph")
    given = f"\nSERVER, SOCKET, OWN, CODE = {os.getpid()}, {name!r}, {OWN[:2]!r} + {OWN[2:]!r}, {code!r}\n"
    ways = MappedSandboxes(LocalSandboxes(Landlock(), find(Path(python), Path("/nonexistent"))))
    report: dict[str, object] = {"problem": await ways.problem()}
    if report["problem"]:
        print(0 if mark == "hang" else json.dumps(report))
        return
    sandbox = await ways.open(Room(disk_bytes=64 << 20, memory_bytes=256 << 20, processes=40))
    if mark == "hang":
        await sandbox.run_code(_ORPHAN.replace("MARK", f"1{os.getpid()}"), 20, nobody)
        print(os.getpid(), flush=True)
        await asyncio.sleep(60)
    report["outside"], report["inside"] = outside(given), await attacked(sandbox, given)
    report["own"] = Path(OWN).read_text()
    await sandbox.run_code("import os; os.chmod(" + repr(OWN[:2]) + "+" + repr(OWN[2:]) + ", 0o777)", 20, nobody)
    report["mode"] = Path(OWN).stat().st_mode & 0o777 == 0o777
    report["forks"] = told(await sandbox.run_code(_FORKS, 20, nobody))
    report["memory"] = told(await sandbox.run_code("bytearray(1 << 30)", 20, nobody)).strip().splitlines()[-1:]
    report["disk"] = told(await sandbox.run_code(_DISK, 20, nobody)).strip()
    report["files"] = [
        told(await sandbox.run_code(_KEPT, 20, nobody)).strip(),
        told(await sandbox.run_code("x + 1, open('/mnt/data/a').read()", 20, nobody)).strip(),
    ]
    await sandbox.run_code(_ORPHAN.replace("MARK", f"1{os.getpid()}"), 20, nobody)
    report["orphans"] = [running(f"1{os.getpid()}")]
    await sandbox.close()
    await asyncio.sleep(0.5)  # the kernel kills them one by one
    report["orphans"] += [running(f"1{os.getpid()}")]
    report["left"] = [str(path) for path in Path(tempfile.gettempdir()).glob("graphnexus-box-*")]
    print(json.dumps(report))


def running(mark: str) -> bool:
    """Whether a process was started with this as its last argument."""
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if cmdline.read_bytes().endswith(f"sleep\0{mark}\0".encode()):
                return True
        except OSError:
            continue
    return False


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
