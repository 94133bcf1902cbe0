"""System calls that code in a sandbox may not make, as a program that the kernel runs before each call."""

import errno
import platform
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nodes.sandbox.syscalls import AUDIT_ARCH, NUMBERS

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: they type for somebody else
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10


@dataclass(frozen=True, slots=True)
class Deny:
    """These calls fail, with any arguments."""

    names: Sequence[str]
    error: int = errno.EPERM


@dataclass(frozen=True, slots=True)
class Argument:
    """The call `name` fails or not by the low 32 bits of its argument number `at`: they meet the rule when they are
    one of `values`, or have any bit of `mask`."""

    name: str
    at: int
    values: Sequence[int] = ()
    mask: int = 0
    #: Whether calls that meet the rule fail; else those that do not.
    met_fails: bool = True
    error: int = errno.EPERM


Rule = Deny | Argument

_MOUNTS = (
    "mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr "
    "statmount listmount name_to_handle_at open_by_handle_at quotactl quotactl_fd swapon swapoff acct"
)
_KERNEL = (
    "bpf perf_event_open userfaultfd kexec_load kexec_file_load init_module finit_module delete_module reboot syslog "
    "keyctl add_key request_key personality iopl ioperm modify_ldt uselib ustat sysfs vhangup lookup_dcookie "
    "settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname fanotify_init migrate_pages move_pages"
)
_OTHERS = "unshare setns ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd"
#: Libraries do without these when told that there are none. What the last five take is seen in no process.
_ABSENT = "clone3 io_uring_setup io_uring_enter io_uring_register memfd_create memfd_secret shmget msgget semget"


def rules(families: Sequence[int] = (AF_UNIX, AF_INET, AF_INET6)) -> list[Rule]:
    """What no sandbox may do; sockets are of these families alone (a network namespace does not hold AF_VSOCK)."""
    return [
        Deny(f"{_MOUNTS} {_KERNEL} {_OTHERS}".split()),
        Deny(_ABSENT.split(), errno.ENOSYS),
        Argument("clone", 0, mask=_NEW_NAMESPACES),
        Argument("ioctl", 1, _TERMINAL_INPUT),
        Argument("socket", 0, families, met_fails=False, error=errno.EAFNOSUPPORT),
        Argument("socketpair", 0, (AF_UNIX,), met_fails=False, error=errno.EAFNOSUPPORT),
    ]


def program(denied: Iterable[Rule], machine: str | None = None) -> bytes:
    """The filter as an array of `struct sock_filter`, for `bwrap --seccomp` or `seccomp(2)`. The first rule about a
    call is the last word on it; calls by other ABIs of the machine (32 bit, x32) kill the process.

    Raises `KeyError` for a machine whose calls are not `known`.
    """
    machine = machine or platform.machine()
    made = [_load(_ARCH_AT), _jump(_EQUAL, AUDIT_ARCH[machine], over=1), _end(_KILL), _load(_NUMBER_AT)]
    if machine == "x86_64":
        made += [_jump(_AT_LEAST, _X32, otherwise=1), _end(_KILL)]
    for rule in denied:
        made += _compiled(rule, NUMBERS[machine])
    return b"".join([*made, _end(_ALLOW)])


def known(machine: str | None = None) -> bool:
    """Whether there can be a filter on this kind of machine."""
    return (machine or platform.machine()) in NUMBERS


def _compiled(rule: Rule, numbers: Mapping[str, int]) -> list[bytes]:
    """Nothing for a call that the machine has not got."""
    match rule:
        case Deny(names, error):
            present = (numbers[name] for name in names if name in numbers)
            return [piece for number in present for piece in (_jump(_EQUAL, number, otherwise=1), _end(_FAIL | error))]
        case Argument(name) if name in numbers:
            body = _decided(rule)
            return [_jump(_EQUAL, numbers[name], otherwise=len(body)), *body]
        case _:
            return []


def _decided(rule: Argument) -> list[bytes]:
    """It always returns, and so need not restore the number of the call."""
    met, unmet = (_FAIL | rule.error, _ALLOW) if rule.met_fails else (_ALLOW, _FAIL | rule.error)
    tests = [(_ANY_BIT, rule.mask)] if rule.mask else [(_EQUAL, value) for value in rule.values]
    jumps = [_jump(test, value, over=len(tests) - at) for at, (test, value) in enumerate(tests)]
    return [_load(_ARGUMENTS_AT + 8 * rule.at), *jumps, _end(unmet), _end(met)]


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _end(verdict: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, verdict)


def _jump(test: int, value: int, over: int = 0, otherwise: int = 0) -> bytes:
    """Leave out the next `over` instructions when the test holds, and `otherwise` of them when it does not."""
    return struct.pack("=HBBI", test, over, otherwise, value)
