"""Whether this process should be sent requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable

#: An answer is good for so long: however often it is asked, the database is asked twice a second.
_TRUST_S = 0.5
#: A database that has not answered after so long is away.
_LIMIT_S = 2.0


class Health:
    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        """`ask` asks the database anything; it raises, or hangs, when the database is away."""
        self._ask = ask
        self._asking: asyncio.Task[bool] | None = None
        self._asked_at = 0.0
        self._answered = True
        #: Set when the process ends.
        self.leaving = False

    async def problem(self) -> str | None:
        """Why requests should go elsewhere, in a word; None when they should come."""
        if self.leaving:
            return "leaving"
        return None if await self._answers() else "database"

    async def _answers(self) -> bool:
        """At most one question is under way, however long it hangs; one to a database that was away is not awaited."""
        if self._asking is not None and self._asking.done():
            self._answered = self._asking.result()
        if self._asking is None or (self._asking.done() and time.monotonic() - self._asked_at > _TRUST_S):
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._asked())
        done, _ = await asyncio.wait([self._asking], timeout=_LIMIT_S if self._answered else 0)
        self._answered = bool(done) and self._asking.result()
        return self._answered

    async def _asked(self) -> bool:
        try:
            await self._ask()
        except Exception:
            return False
        return True
