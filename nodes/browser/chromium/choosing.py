"""How Chromium is run on this machine, and why it cannot be."""

import asyncio
import os
from pathlib import Path
from typing import Literal

from nodes.browser.chromium import confined, finding
from nodes.browser.chromium.running import Kind
from nodes.sandbox.port import Broken

Sandbox = Literal["auto", "bwrap", "off"]
_ROOT = (
    "Chromium is not run by root without bubblewrap around it: install bubblewrap (`apt-get install bubblewrap`), or "
    "run the server as another user."
)


async def kind_of(named: Path | None, sandbox: Sandbox, memory_bytes: int) -> Kind:
    """`named`: the Chromium the operator wants. Raises `Broken` with what helps."""
    if missing := await asyncio.to_thread(finding.problem, named):
        raise Broken(missing)
    program = await asyncio.to_thread(finding.find, named)
    if program is None:
        raise Broken(finding.MISSING)
    unfit = "it is turned off." if sandbox == "off" else await confined.problem()
    if unfit and sandbox == "bwrap":
        raise Broken(unfit)
    if unfit and os.geteuid() == 0:
        raise Broken(f"{_ROOT} Now: {unfit}")
    return Kind(program, confined=not unfit, memory_bytes=memory_bytes)
