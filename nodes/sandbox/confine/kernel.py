"""Calls of the kernel that Python has no names for."""

from __future__ import annotations

import ctypes
import os

SET_DEATH_SIGNAL, SET_DUMPABLE, SET_SECCOMP, SET_SUBREAPER, SET_NO_NEW_PRIVILEGES = 1, 4, 22, 36, 38
_FILTER = 2
_INSTRUCTION_BYTES = 8
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.ptrace.restype = ctypes.c_long


def failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, value: int) -> None:
    """Raises `OSError`."""
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise failed(f"prctl {option}")


def call(number: int, *arguments: object) -> int:
    """Integers and ctypes values; raises `OSError`."""
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise failed(f"system call {number}")
    return result


def ptrace(request: int, pid: int, data: int = 0) -> None:
    """Raises `OSError`."""
    if _libc.ptrace(ctypes.c_long(request), ctypes.c_int(pid), ctypes.c_void_p(0), ctypes.c_void_p(data)):
        raise failed("ptrace")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_calls(program: bytes) -> None:
    """Install a filter of classic BPF for this process and those it starts."""
    held = _Program(len(program) // _INSTRUCTION_BYTES, program)
    if _libc.prctl(SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(held), 0, 0):
        raise failed("seccomp")
