"""What `graphnexus sandbox check` and `doctor` find out about sandboxes."""

import time
from collections.abc import AsyncIterator

from nodes.sandbox import interpreter
from nodes.sandbox.port import Broken, Output, Sandbox
from server.finding import Finding
from server.rooms import interpreter_of, room_of, rooms_of
from server.settings import Settings

_MARKS = {"fine": "ok    ", "note": "note  ", "broken": "broken"}
_PATIENCE_S = 60.0
INSTALL = "`graphnexus sandbox install` prepares numpy, pandas, matplotlib and others."
#: What code should be able to do, and what it should say.
_TRIALS = (
    ("Python", "6 * 7", "42\n"),
    ("A shell", "!echo $((6 * 7))", "42\n"),
    ("Files", "open('check.txt', 'w').write('42')\nopen('check.txt').read()", "'42'\n"),
    (
        "No network",
        "import socket\ntry:\n    socket.create_connection(('1.1.1.1', 53), 2)\nexcept OSError:\n    print('none')",
        "none\n",
    ),
)
_PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 2])\nplt.show()"


async def check(settings: Settings) -> int:
    """Print the findings; 1 when something is broken, else 0."""
    broken = 0
    async for finding in examine(settings):
        print(_MARKS[finding.state], finding.what)
        if finding.fix:
            print(f"       {finding.fix}")
        broken += finding.state == "broken"
    return 1 if broken else 0


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    rooms = rooms_of(settings)
    try:
        if problem := await rooms.problem():
            yield Finding("broken" if settings.sandbox != "off" else "note", problem)
            return
        yield Finding("fine", f"Sandboxes are opened by {rooms.name}.")
        yield packages(settings)
        began = time.perf_counter()
        sandbox = await rooms.open(room_of(settings))
        yield Finding("fine", f"One opens in {(time.perf_counter() - began) * 1000:.0f} ms.")
        async for finding in _tried(sandbox, settings):
            yield finding
        await sandbox.close()
    except Broken as broken:
        yield Finding("broken", str(broken))
    finally:
        await rooms.close()


def packages(settings: Settings) -> Finding:
    found = interpreter_of(settings)
    names = [name.partition(" ")[0] for name in interpreter.packages(found)]
    if names:
        return Finding("fine", f"The Python of sandboxes has {len(names)} packages: {', '.join(names)}.")
    return Finding("note", "The Python of sandboxes has no packages.", INSTALL)


async def _tried(sandbox: Sandbox, settings: Settings) -> AsyncIterator[Finding]:
    for name, code, expected in _TRIALS:
        outputs = await _said(sandbox, code)
        works = outputs == [Output("logs", expected)]
        yield Finding("fine" if works else "broken", f"{name}: {'works' if works else outputs}.")
    found = interpreter_of(settings)
    if any(name.startswith("matplotlib ") for name in interpreter.packages(found)):
        began = time.perf_counter()
        works = [output.kind for output in await _said(sandbox, _PLOT)] == ["image"]
        took = f"works, {(time.perf_counter() - began) * 1000:.0f} ms for the first" if works else "none was shown"
        yield Finding("fine" if works else "broken", f"Plots: {took}.")


async def _said(sandbox: Sandbox, code: str) -> list[Output]:
    return list((await sandbox.run_code(code, _PATIENCE_S, lambda _: None)).outputs)
