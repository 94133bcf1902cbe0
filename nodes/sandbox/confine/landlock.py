"""Which files may be touched. Source: Linux, Documentation/userspace-api/landlock.rst."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence

import kernel  # pyright: ignore[reportMissingImports]

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK, _TRUNCATE, _IOCTL_DEV = 1 << 6, 1 << 9, 1 << 11, 1 << 14, 1 << 15
#: How many rights of files each version of the interface has.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP, _SCOPES = 0b11, 0b11
KEEPS_SIGNALS_IN = 6


def version() -> int:
    """Of the interface; raises `OSError` where there is none."""
    return kernel.call(_CREATE, 0, 0, _VERSION)


def restrict(read: Sequence[str], write: Sequence[str], devices: Sequence[str]) -> None:
    """Deny all but these from here on: files, TCP, and signals and sockets that lead out, as far as the kernel can."""
    abi = version()
    handled = (1 << _RIGHTS[min(abi, 5)]) - 1
    ruleset = _created(abi, handled)
    for path in read:
        _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
    for path in write:
        _allow(ruleset, path, handled & ~(_MAKE_CHAR | _MAKE_BLOCK | _MAKE_SOCK | _IOCTL_DEV))
    for path in devices:
        _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
    kernel.call(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _created(abi: int, handled: int) -> int:
    given = struct.pack("QQQ", handled, _TCP, _SCOPES)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    return kernel.call(_CREATE, ctypes.create_string_buffer(given, len(given)), len(given), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this machine
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
    given = struct.pack("=Qi", rights, fd)
    kernel.call(_ADD, ruleset, _BENEATH, ctypes.create_string_buffer(given, len(given)), 0)
    os.close(fd)
