"""Who waits for events of which response: wake-ups, and a look of one's own when none comes."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Feed(Protocol):
    def tell(self, response_id: str) -> None:
        """Something was written down for this response. Called on the event loop, after the commit."""
        ...

    @contextmanager
    def watch(self, response_id: str) -> Generator[asyncio.Event]:
        """An event that is set whenever there may be something new; whoever waits for it clears it."""
        ...


class LocalFeed:
    """Wake-ups within one process."""

    def __init__(self) -> None:
        self._watching: dict[str, set[asyncio.Event]] = {}

    def tell(self, response_id: str) -> None:
        for event in self._watching.get(response_id, ()):
            event.set()

    def tell_all(self) -> None:
        for watching in self._watching.values():
            for event in watching:
                event.set()

    @contextmanager
    def watch(self, response_id: str) -> Generator[asyncio.Event]:
        event = asyncio.Event()
        watching = self._watching.setdefault(response_id, set())
        watching.add(event)
        try:
            yield event
        finally:
            watching.discard(event)
            if not watching:
                self._watching.pop(response_id, None)
