"""Chromium within bubblewrap, as a program that Playwright can start: no files of this machine, and no network but a
socket to the filtering proxy. Chromium's own sandbox is within that, where the kernel lets it.
"""

import asyncio
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from nodes.browser.chromium import finding
from nodes.sandbox import inside, interpreter, outside
from nodes.sandbox.port import Broken
from nodes.sandbox.proxy import Exit
from nodes.sandbox.runner import forward

#: Of the proxy, in the network namespace that has nothing else.
PORT = 3128
_HOME = "/home/user"
_NAMESPACES = ("--unshare-all", "--unshare-user", "--hostname", "browser", "--as-pid-1", "--cap-drop", "ALL")
_USER = ("--uid", "1000", "--gid", "1000", "--new-session", "--die-with-parent")
_WRITABLE = ("--size", str(512 << 20), "--tmpfs", "/", "--perms", "1777", "--dir", "/tmp", "--dir", _HOME)  # noqa: S108
_DEVICES = ("--proc", "/proc", "--dev", "/dev", "--size", str(512 << 20), "--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108
_ENVIRONMENT = {"HOME": _HOME, "PATH": "/usr/bin:/bin", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108
_TRY_S = 10.0
#: The server comes first; but a step has not much time, and comes to nothing where a browser gets none of it.
_NICENESS = 5
#: The forwarder, then Chromium in the place of the shell; 9 is the proxy's token.
_INSIDE = '"$1" -I -S "$2" "$3" "$4" <&9 9<&- & shift 4; exec "$@" 9<&-'


async def problem() -> str | None:
    """Why bubblewrap cannot be around a browser here."""
    try:
        launch = outside.launch((), ())
        tried = [outside.tool("bwrap"), *_NAMESPACES, *_USER, *_WRITABLE, *_system(), *_DEVICES, "--", "/bin/true"]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*launch.command(tried), stderr=pipe)
        async with asyncio.timeout(_TRY_S):
            _, said = await process.communicate()
    except (Broken, OSError, TimeoutError) as error:
        return f"bubblewrap could not be started: {error}"
    return (
        f"bubblewrap could not open a sandbox: {said.decode(errors='replace').strip()}" if process.returncode else None
    )


def write(script: Path, chromium: Path, way_out: Exit, downloads: Path) -> None:
    """`script` starts `chromium` with the arguments it is given. Raises `Broken`."""
    python, ours = interpreter.of(interpreter.base()), str(Path(forward.__file__).resolve())
    needs = [ours, *python.needs, *finding.needs(chromium), way_out.directory, str(downloads)]
    launch = outside.launch(needs, ())
    bound = [word for need in needs for word in _bound(need, launch.needs[need], need == str(downloads))]
    around = [*_NAMESPACES, *_USER, *_WRITABLE, *_system(), *_DEVICES, *bound, *_environment()]
    forwarding = ["sh", python.executable, ours, way_out.socket, str(PORT)]
    started = ["/bin/sh", "-c", _INSIDE, *forwarding, str(chromium.resolve())]
    *shell, line = launch.command([outside.tool("bwrap"), *around, "--", *started], _NICENESS)
    # The token goes in by a file that is open, not by a word: words of processes can be read by everyone.
    _private(token_file(script), f"{way_out.token}\n")
    begun = f"echo $$ >{shlex.quote(str(pid_file(script)))}\nexec 9<{shlex.quote(str(token_file(script)))}\n"
    passed = f'{line} "$@"'
    _private(script, f'#!/bin/sh\n{begun}exec {shlex.join([*shell, passed])} sh "$@"\n')
    script.chmod(0o700)


def _private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def token_file(script: Path) -> Path:
    return script.with_suffix(".token")


def pid_file(script: Path) -> Path:
    return script.with_suffix(".pid")


def _bound(place: str, found: str, writable: bool) -> Sequence[str]:
    return ("--bind" if writable else "--ro-bind", found, place)


def _system() -> Iterator[str]:
    yield from inside.system()
    yield from ("--ro-bind-try", "/etc/fonts", "/etc/fonts")


def _environment() -> Iterator[str]:
    for name, value in _ENVIRONMENT.items():
        yield from ("--setenv", name, value)
