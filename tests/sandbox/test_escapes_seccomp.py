"""The filter of system calls, run by hand for machines that no test runs on."""

import errno
import struct

import pytest

from nodes.sandbox import seccomp
from nodes.sandbox.seccomp import Argument, Deny
from nodes.sandbox.syscalls import AUDIT_ARCH
from tests.contract import promise

ALLOWED, KILLED = "allowed", "killed"
OTHER_MACHINE = 0x40000003


def verdict(program: bytes, arch: int, number: int, *arguments: int) -> str:
    """What the kernel would say: an interpreter of the five instructions that the filter has."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    seen = struct.pack("=IIQ6Q", number, arch, 0, *(argument % (1 << 64) for argument in padded))
    at, value = 0, 0
    while True:
        code, met, unmet, operand = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        match code:
            case 0x20:
                [value] = struct.unpack_from("=I", seen, operand)
            case 0x15 | 0x35 | 0x45:
                test = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
                at += met if test else unmet
            case 0x06:
                kind = operand & 0xFFFF0000
                return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(kind) or errno.errorcode[operand & 0xFFFF]
            case other:
                raise AssertionError(other)


@promise("sandbox.kernel")
@pytest.mark.parametrize(
    ("machine", "read", "mount", "clone", "clone3", "socket"),
    [("x86_64", 0, 165, 56, 435, 41), ("aarch64", 63, 40, 220, 435, 198)],
)
def test_filter_decides_by_number_and_argument(
    machine: str, read: int, mount: int, clone: int, clone3: int, socket: int
) -> None:
    program, arch = seccomp.program(seccomp.rules(), machine), AUDIT_ARCH[machine]
    assert len(program) // 8 < 4096  # the kernel takes no more
    calls = {
        (read, 0): ALLOWED,
        (mount,): "EPERM",
        (clone3,): "ENOSYS",
        (clone, 0x1200011): ALLOWED,
        (clone, 0x10000011): "EPERM",
        (clone, 0x7_1000_0011): "EPERM",
        (socket, 1): ALLOWED,
        (socket, 10): ALLOWED,
        (socket, 40): "EAFNOSUPPORT",
        (socket, (1 << 32) + 40): "EAFNOSUPPORT",
    }
    assert {call: verdict(program, arch, *call) for call in calls} == calls
    assert verdict(program, OTHER_MACHINE, read) == KILLED
    assert verdict(program, arch, 0x40000000 + read) == (KILLED if machine == "x86_64" else ALLOWED)


@promise("sandbox.kernel")
def test_first_rule_about_a_call_is_the_last_word() -> None:
    rules = [Argument("ioctl", 1, values=(7,), met_fails=False), Deny(["ioctl"])]
    program = seccomp.program(rules, "x86_64")
    assert verdict(program, AUDIT_ARCH["x86_64"], 16, 0, 7) == ALLOWED
    assert verdict(program, AUDIT_ARCH["x86_64"], 16, 0, 8) == "EPERM"
