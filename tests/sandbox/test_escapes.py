"""Ways out of a sandbox: each is tried inside, where it must be shut, and outside, where it is open.

Every attack is made by a server that is root and by one that is not. What cannot be shown to work without the defence
is in `SHUT_ANYWAY`, with the reason.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nodes.sandbox import checking, guarded
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.port import Room
from tests.contract import promise
from tests.sandbox.attacked import HERE, MARK, PYTHON, Attacker, Host, attacking, needs_bwrap

pytestmark = needs_bwrap
PROBE = (HERE / "probe.py").read_text()
_BY_ERROR = {
    "EPERM": """mount umount2 pivot_root chroot open_tree fsopen move_mount mount_setattr name_to_handle_at
        open_by_handle_at setns unshare ptrace process_vm_readv pidfd_getfd kcmp bpf perf_event_open userfaultfd
        kexec_load finit_module keyctl add_key personality fanotify_init clone""",
    "ENOSYS": "memfd_create shmget io_uring_setup clone3",
    "EAFNOSUPPORT": "vsock netlink packet",
}
CALLS = {
    **{name: error for error, names in _BY_ERROR.items() for name in names.split()},
    "i386": "signal 31",
    "x32": "signal 31",
    "mount as root of a user namespace": "EPERM",
}
FILES = ["/etc/shadow", "/etc/hostname", "/etc/ssl", "/sys", "/var", "/run", "/boot", "/root/.bashrc", "host file"]
NETWORK = ["loopback", "abstract socket", "socket in a file"]
PROCESSES = ["host process", "host process in /proc"]
WRITTEN = {"write /usr": "EROFS", "write /dev": "EROFS", "write /etc": "EACCES"}
#: Not to be shown, and why.
SHUT_ANYWAY = {
    "root": {"kexec_load": "may not be in the kernel", "finit_module": "may not be in the kernel"},
    "user": {
        **dict.fromkeys(("pivot_root", "fsopen", "move_mount", "packet"), "asks for rights first"),
        **dict.fromkeys(("kexec_load", "finit_module"), "may not be in the kernel"),
        **dict.fromkeys(("userfaultfd", "perf_event_open", "bpf", "fanotify_init"), "may be for root alone"),
        **dict.fromkeys(("/etc/shadow", "/root/.bashrc"), "may not be read"),
        **dict.fromkeys(WRITTEN, "may not be written"),
    },
}
#: May be compiled out or turned off, for everybody.
KERNEL_MAY_LACK = {"i386", "vsock", "io_uring_setup", "kcmp", "userfaultfd", "/boot", "/root/.bashrc", "/etc/hostname"}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """In a folder that everybody may read, as pytest's own may not be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        made = Host(Path(folder))
        yield made
        made.close()


@pytest.fixture(scope="module")
def inside(attacker: Attacker, host: Host) -> dict[str, str]:
    [result] = attacker.inside(PROBE, arguments=(host.facts(attacker),))
    assert not host.heard(), "a datagram has left the sandbox"
    return told(result)


@pytest.fixture(scope="module")
def outside(attacker: Attacker, host: Host) -> dict[str, str]:
    said = told(attacker.outside(PYTHON, "-I", "-c", PROBE, host.facts(attacker)))
    assert host.heard()
    return said


def told(result: dict[str, Any]) -> dict[str, str]:
    assert result["said"], result
    return json.loads(result["said"])


def open_without(attacker: Attacker, outside: dict[str, str], names: list[str]) -> None:
    """Each of these can be done outside, or fails there later than it does inside."""
    excused = SHUT_ANYWAY["root" if attacker.uid == 0 else "user"].keys() | KERNEL_MAY_LACK
    as_inside = {name: outside[name] for name in names if name not in excused}
    assert not {name: said for name, said in as_inside.items() if said == CALLS.get(name, said) and said != "done"}


@promise("sandbox.kernel")
def test_calls_that_open_up_the_kernel_fail(
    attacker: Attacker, inside: dict[str, str], outside: dict[str, str]
) -> None:
    assert {name: inside[name] for name in CALLS} == CALLS
    open_without(attacker, outside, list(CALLS))


@promise("sandbox.files")
def test_files_of_the_host_are_not_there(attacker: Attacker, inside: dict[str, str], outside: dict[str, str]) -> None:
    assert {name: inside[name] for name in FILES} == dict.fromkeys(FILES, "ENOENT")
    assert {name: inside[name] for name in WRITTEN} == WRITTEN
    open_without(attacker, outside, [*FILES, *WRITTEN])


@promise("sandbox.network")
def test_no_network_and_no_socket_of_the_host_is_reached(
    attacker: Attacker, inside: dict[str, str], outside: dict[str, str]
) -> None:
    assert "done" not in {inside[name] for name in NETWORK}
    open_without(attacker, outside, NETWORK)
    [names] = attacker.inside(
        "import socket\ntry: socket.getaddrinfo('example.com', 80)\nexcept OSError: print('none')"
    )
    assert names["said"] == "none\n"  # a machine without a network has none outside either


@promise("sandbox.processes")
def test_processes_of_the_host_are_neither_seen_nor_signalled(
    attacker: Attacker, inside: dict[str, str], outside: dict[str, str]
) -> None:
    assert {inside[name] for name in PROCESSES} <= {"ESRCH", "ENOENT"}
    assert inside["ptrace"] == inside["process_vm_readv"] == "EPERM"
    open_without(attacker, outside, PROCESSES)


@promise("sandbox.processes")
def test_nothing_of_bubblewrap_is_inside(attacker: Attacker) -> None:
    """Its first process could be looked into by code, and held what leads outside."""
    looks = "import os; print(os.getpid()); os.fork() or print(os.readlink('/proc/1/exe'))"
    [looked] = attacker.inside(looks)
    assert looked["said"].splitlines()[0] == "1" and "bwrap" not in looked["said"]
    bare = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc"]
    without = attacker.outside(*bare, "--", PYTHON, "-c", "import os; print(os.readlink('/proc/1/fd/1'))")
    assert without["said"].startswith("pipe:")


@promise("sandbox.settings")
def test_settings_of_the_kernel_are_read_only(attacker: Attacker, inside: dict[str, str]) -> None:
    """Only root can show it: bubblewrap started as root, which ours never is, leaves them open."""
    assert inside["core_pattern"] != "done" and inside["hostname"] != "done"
    assert inside["mount of /proc/sys"] == "EROFS"
    bare = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "--dev", "/dev"]
    without = told(attacker.outside(*bare, "--", PYTHON, "-I", "-c", PROBE))
    assert (without["core_pattern"] == "done") == (attacker.uid == 0)


@promise("sandbox.secrets")
def test_environment_of_the_server_is_read_nowhere(
    attacker: Attacker, inside: dict[str, str], outside: dict[str, str]
) -> None:
    """Telling bubblewrap to clear the environment is not enough: its own first process has it still."""
    assert inside["server's environment"] == "ENOENT"
    assert outside["server's environment"] == "done"
    cleared = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "--clearenv"]
    assert f"{MARK}={attacker.secret}" in attacker.outside(*cleared, "--", "/bin/cat", "/proc/1/environ")["said"]
    [seen] = attacker.inside("print(open('/proc/1/environ').read(), open('/proc/self/environ').read())")
    names = {line.partition("=")[0].strip() for line in seen["said"].split("\0")} - {""}
    assert names <= {"HOME", "TMPDIR", "PATH", "LANG", "PWD"}


@promise("sandbox.check")
def test_way_is_open_when_a_sandbox_held(attacker: Attacker) -> None:
    for grouped in (True, False):
        assert attacker.ask("problem", grouped=grouped) is None


@promise("sandbox.check")
def test_where_users_may_have_no_namespaces_it_is_said_what_to_do() -> None:
    """As in containers and on hosts that deny them: here another sandbox does."""
    around = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--disable-userns", "--"]
    with attacking("server", *around) as attacker:
        problem = attacker.ask("problem")
    assert problem.startswith("bubblewrap could not open a sandbox: ")
    assert "apt-get install bubblewrap" in problem and "AppArmor" in problem and "--security-opt" in problem


@promise("sandbox.check")
async def test_sandbox_that_does_not_hold_is_no_open_way() -> None:
    async def start(program: Sequence[str], _needs: Sequence[str], _room: Room) -> Guarded:
        return await guarded.start(program, [])

    problem = await checking.problem(start)
    assert problem and "host files are seen (/etc/" in problem
    for hole in ("host processes are seen", "setuid programs give rights", "system calls are not filtered"):
        assert hole in problem


def test_every_attack_of_the_documentation_has_its_test() -> None:
    shown = set(re.findall(r"`(test_\w+)`", (HERE.parent.parent / "docs/sandbox.md").read_text()))
    there = {name for path in HERE.glob("test_escapes*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert shown and shown <= there, shown - there
