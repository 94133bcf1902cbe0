"""Source of what is run beside callers' code in sandboxes of E2B: files, commands. Each call's answer is JSON lines."""

import base64
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

_PIECE_BYTES = 1 << 19
_LISTED = 10_000


def _say(**told: Any) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def prepare(files: str) -> None:
    if not os.access(files, os.W_OK):
        command = f"mkdir -p {files} || (sudo -n mkdir -p {files} && sudo -n chown $(id -u) {files})"
        subprocess.run(command, shell=True, capture_output=True, check=False)  # noqa: S602
    _say(done=os.access(files, os.W_OK))


def write(files: str, path: str, offset: int, content: str, last: bool) -> None:
    """Under another name until it is whole."""
    whole = os.path.join(files, path)  # noqa: PTH118
    part = whole + ".part~"
    try:
        os.makedirs(os.path.dirname(whole), exist_ok=True)  # noqa: PTH103, PTH120
        with open(part, "r+b" if offset else "wb") as file:  # noqa: PTH123
            file.seek(offset)
            file.write(base64.b64decode(content))
        if last:
            os.replace(part, whole)  # noqa: PTH105
        _say(state=_state(whole) if last else None)
    except OSError as error:
        _say(failed=error.strerror)


def read(files: str, path: str, offset: int) -> None:
    whole = os.path.join(files, path)  # noqa: PTH118
    if os.path.islink(whole) or not os.path.isfile(whole):  # noqa: PTH113, PTH114
        return _say(absent=True)
    with open(whole, "rb") as file:  # noqa: PTH123
        file.seek(offset)
        _say(piece=base64.b64encode(file.read(_PIECE_BYTES)).decode())
    return None


def remove(files: str, path: str) -> None:
    whole = os.path.join(files, path)  # noqa: PTH118
    if os.path.lexists(whole):
        os.remove(whole)  # noqa: PTH107
    _say(done=True)


def listing(files: str) -> None:
    """Regular files, by path: their state."""
    found: dict[str, object] = {}
    for folder, _, names in os.walk(files):
        for name in names:
            whole = os.path.join(folder, name)  # noqa: PTH118
            if len(found) < _LISTED and os.path.isfile(whole) and not os.path.islink(whole):  # noqa: PTH113, PTH114
                found[os.path.relpath(whole, files)] = _state(whole)
    _say(found=found)


def _state(whole: str) -> list[int]:
    state = os.stat(whole)  # noqa: PTH116
    return [state.st_size, state.st_mtime_ns, state.st_ino]


def command(files: str, line: str, timeout_s: float) -> None:
    shell = [shutil.which("bash") or "/bin/sh", "-c", line]
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    kept = subprocess.Popen(shell, cwd=files, stdin=silent, stdout=pipe, stderr=pipe, start_new_session=True)  # noqa: S603
    status: int | None = None
    try:
        _pass_on(kept, time.monotonic() + timeout_s)
        status = kept.wait(0.1)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(OSError):
            os.killpg(kept.pid, signal.SIGKILL)
    _say(status=status)


def _pass_on(kept: Any, limit: float) -> None:
    """Until both streams end. Raises `TimeoutExpired`."""
    with selectors.DefaultSelector() as ready:
        ready.register(kept.stdout, selectors.EVENT_READ, "stdout")
        ready.register(kept.stderr, selectors.EVENT_READ, "stderr")
        while ready.get_map():
            if time.monotonic() > limit:
                raise subprocess.TimeoutExpired("", 0)
            for key, _ in ready.select(0.1):
                stream: Any = key.fileobj
                if piece := stream.read1(1 << 16):
                    _say(**{key.data: piece.decode(errors="replace")})
                else:
                    ready.unregister(stream)
