"""A process that opens sandboxes as a server does, as root or as another user, and says what became of them.

It reads jobs from its stdin, a line of JSON each, and answers each with one. Run with the user's id as its argument.
"""

import asyncio
import ctypes
import json
import os
import sys
import time
import types
from concurrent.futures import thread as thread  # loaded late, when it may not be reached any more
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
# The package of nodes loads LangGraph, of which a sandbox needs nothing.
nodes = types.ModuleType("nodes")
nodes.__path__ = [str(ROOT / "nodes")]
sys.modules["nodes"] = nodes
sys.path.insert(0, str(ROOT))

from nodes.sandbox.bwrap import Bwrap  # noqa: E402
from nodes.sandbox.guarded import Guarded  # noqa: E402
from nodes.sandbox.port import Room  # noqa: E402

Json = dict[str, Any]


def become(uid: int) -> None:
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # may be looked into, as any process of a user may


class Attacker:
    def __init__(self) -> None:
        self._ways = {grouped: Bwrap(grouped) for grouped in (True, False)}
        self._kept: list[Guarded] = []

    async def obey(self, job: Json) -> Any:
        return await getattr(self, f"_{job['job']}")(job)

    async def _problem(self, job: Json) -> str | None:
        return await self._way(job).problem()

    async def _limits(self, job: Json) -> str:
        return self._way(job).limits

    async def _inside(self, job: Json) -> list[Json]:
        return await asyncio.gather(*(self._one(job, program) for program in job["programs"]))

    async def _keep(self, job: Json) -> list[str]:
        """Open sandboxes, and say what each says first."""
        kept = [await self._open(job, program) for program in job["programs"]]
        self._kept += kept
        return [await self._first_line(process) for process in kept]

    async def _end(self, _: Json) -> float:
        """End those that are kept; the seconds that takes."""
        began = time.monotonic()
        while self._kept:
            process = self._kept.pop()
            process.kill()
            await process.wait()
        return time.monotonic() - began

    async def _flash(self, job: Json) -> None:
        """Open sandboxes and kill each after its delay."""

        async def flash(delay_s: float) -> None:
            process = await self._open(job, job["program"])
            await asyncio.sleep(delay_s)
            process.kill()
            await process.wait()

        await asyncio.gather(*map(flash, job["delays"]))

    def _way(self, job: Json) -> Bwrap:
        return self._ways[job.get("grouped", True)]

    async def _open(self, job: Json, program: list[str]) -> Guarded:
        return await self._way(job).start(program, job.get("needs", []), Room(**job.get("room", {})))

    async def _one(self, job: Json, program: list[str]) -> Json:
        began = time.monotonic()
        process = await self._open(job, program)
        assert process.stdout
        said = b""
        try:
            async with asyncio.timeout(job.get("limit_s", 20)):
                while more := await process.stdout.read(65536):
                    said = (said + more)[: 1 << 20]
        except TimeoutError:
            process.kill()
        status = await process.wait()
        await asyncio.sleep(0.15)  # the guard has its say
        return {
            "said": said.decode(errors="replace"),
            "status": status,
            "stopped": process.stopped,
            "last_words": process.last_words[-1000:],
            "seconds": time.monotonic() - began,
        }

    async def _outside(self, job: Json) -> Json:
        process = await asyncio.create_subprocess_exec(*job["program"], stdout=-1, stderr=-1)
        said, last_words = await process.communicate()
        return {"said": said.decode(), "last_words": last_words.decode(), "status": process.returncode}

    async def _first_line(self, process: Guarded) -> str:
        assert process.stdout
        return (await process.stdout.readline()).decode().strip()


async def main() -> None:
    attacker = Attacker()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await attacker.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    become(int(sys.argv[1]))
    asyncio.run(main())
