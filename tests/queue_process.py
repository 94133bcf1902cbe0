"""A process that takes responses from a queue and never gets done with them: `python -m tests.queue_process url id`."""

import asyncio
import sys

from checkpoints.engine import Capacity, DurableEngine, Notice


class Stuck:
    """Says what it has begun, a line each."""

    async def make(self, response_id: str, owner: str) -> None:
        sys.stdout.write(f"{response_id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    async def tell(self, notice: Notice) -> None: ...


async def main(url: str, id: str) -> None:
    engine = DurableEngine(url, id, Capacity())
    await engine.start(Stuck())
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
