"""Keeps the responses that outlive their process going: says that this process lives, and looks after the dead."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential

from checkpoints import Store, Swept
from checkpoints.engine import DurableEngine, Notice
from checkpoints.runs import Waiting
from graph.approvals import Due
from graph.background import Background
from graph.errors import StoreUnavailable
from graph.ids import now
from graph.runner import Runner
from nodes.webhooks import Message, Webhooks

logger = logging.getLogger(__name__)

#: Seconds until a webhook is sent again: some eleven hours in all.
_WAITS_S = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14400.0, 14400.0)
#: A response that was begun this often, and whose process died each time, is given up.
_ATTEMPTS = 8
#: Each attempt raises the epoch twice: when it is taken over, and when it is handed back.
_LAST_EPOCH = 2 * _ATTEMPTS
#: Seconds after which a run of ours that nothing here makes is taken up again.
_IDLE_S = 5.0
#: Seconds between two looks for what has fallen out of the queue, and at what can be deleted from it.
_SELDOM_S = 15.0
_TERMINAL = ("completed", "failed", "incomplete", "cancelled")


@dataclass(frozen=True, slots=True)
class Pulse:
    """`lease_s`: a process that is silent for so long is dead. `alone`: no other can be on this database."""

    lease_s: float
    alone: bool


class _Handed(NamedTuple):
    response_id: str
    owner: str
    epoch: int


class Keeper:
    """Fits `checkpoints.engine.Work`: what comes out of the queue is made here."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        background: Background,
        engine: DurableEngine,
        webhooks: Webhooks,
        pulse: Pulse,
    ) -> None:
        self._store = store
        self._runner = runner
        self._background = background
        self._engine = engine
        self._webhooks = webhooks
        self._pulse = pulse
        self._tasks: set[asyncio.Task[None]] = set()
        #: Still to be submitted.
        self._handed: list[_Handed] = []
        #: Taken in by the process before this one, which may have died before it submitted them.
        self._left: Sequence[Waiting] = ()
        #: Held here, and not ours by the store, at the last look; and what was stopped for that.
        self._strange: set[tuple[str, int]] = set()
        self._lost: set[tuple[str, int]] = set()
        #: Ours by the store and made by nothing here, since when.
        self._idle: dict[str, float] = {}
        self._seldom_at = 0.0
        #: Lets responses go on whose requests are decided.
        self._following: asyncio.Task[None] | None = None
        self._leaving = False
        #: Set to look at once.
        self._soon = asyncio.Event()

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Look after the responses until the end, at which those of this process are left to others."""
        await self._store.workers.beat()
        waiting = await self._store.runs.waiting(0)
        self._take(await self._store.workers.sweep(0 if self._pulse.alone else self._pulse.lease_s))
        if self._handed or waiting:
            self._engine.want()
        if self._pulse.alone:  # else others may be about to submit the youngest of them
            self._left = waiting
        for work in (self._beat, self._start, self._watch):
            self._spawn(work())
        try:
            yield
        finally:
            await self._close()

    async def _start(self) -> None:
        await self._engine.start(self)
        self._soon.set()

    async def _beat(self) -> None:
        """Apart from all else that a process has to look after, which may take its time."""
        while True:
            await asyncio.sleep(self._pulse.lease_s / 4)
            with suppress(StoreUnavailable):
                await self._store.workers.beat()

    def drain(self) -> None:
        """Take no more responses from the queue."""
        self._leaving = True
        self._engine.drain()

    async def _close(self) -> None:
        self._leaving = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.close()
        with suppress(StoreUnavailable):
            await self._store.workers.leave()
        await self._webhooks.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------ what comes out of the queue

    async def make(self, response_id: str, owner: str) -> None:
        """Make a response, unless somebody does, and tell of its end."""
        if self._leaving:
            await asyncio.Event().wait()  # until the engine is closed: others take it from the queue again
        async for attempt in _patiently():
            with attempt:
                await self._background.resume(response_id)
                await self._announce(response_id, owner)

    async def _announce(self, response_id: str, owner: str) -> None:
        """Let those be told who want to be, when the response has ended. A second time nothing happens."""
        stored = await self._store.responses.find(owner, response_id) if self._webhooks else None
        if stored and stored.record["status"] in _TERMINAL:
            ended_at = stored.record["completed_at"] or now()
            for message in self._webhooks.messages(response_id, stored.record["status"], ended_at):
                await self._engine.tell(Notice(message.id, message.url, message.body))

    async def tell(self, notice: Notice) -> None:
        answer = await self._webhooks.send(Message(notice.id, notice.to, notice.body))
        if answer != "again":
            return
        if notice.attempt > len(_WAITS_S):
            logger.warning("A webhook was given up", extra={"webhook_id": notice.id, "attempts": notice.attempt})
            return
        async for attempt in _patiently():
            with attempt:
                await self._engine.tell(replace(notice, attempt=notice.attempt + 1), _WAITS_S[notice.attempt - 1])

    # ------------------------------------------------------------ the living and the dead

    async def _watch(self) -> None:
        """Until it is cancelled, whatever happens: a process whose keeper has died would be dead to all others."""
        lost = False
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), self._pulse.lease_s / 4)
            self._soon.clear()
            try:
                await self._look()
                if lost:
                    logger.warning("The database is there again")
                lost = False
            except StoreUnavailable:
                if not lost:
                    logger.warning("The database cannot be reached; responses may be taken over by other processes")
                lost = True
            except Exception:
                logger.exception("Looking after the responses failed on a bug")

    async def _look(self) -> None:
        await self._store.workers.beat()  # or a process that slept would take itself for dead
        self._take(await self._store.workers.sweep(self._pulse.lease_s))
        await self._compare()
        if self._engine.started:
            await self._hand_on()
            await self._engine.recover(await self._store.workers.alive())
            await self._give_up_lost()
            await self._engine.rest()
            await self._seldom()

    def _take(self, swept: Swept) -> None:
        if any((swept.requeued, swept.unfinished, swept.ended)):
            facts = {"queued": len(swept.requeued), "failed": len(swept.unfinished) + swept.ended}
            logger.warning("A process has ended in the midst of responses", extra=facts)
        self._handed += [_Handed(*waiting) for waiting in swept.requeued]
        if swept.dead:
            # What they had taken in and not queued yet is not to wait; it is older than half a lease by now.
            self._seldom_at = 0.0
        for response_id in swept.unfinished:
            self._spawn(self._resume(response_id))

    async def _resume(self, response_id: str) -> None:
        async for attempt in _patiently():
            with attempt:
                await self._background.resume(response_id)

    async def _compare(self) -> None:
        """What this process holds, and what the store says it does. Both change while one looks, hence two looks."""
        mine = await self._store.runs.mine()
        strange = set(self._runner.held().items()) - mine
        for response_id, epoch in strange & self._strange - self._lost:
            logger.warning("A response was taken over by another process", extra={"response_id": response_id})
            self._lost.add((response_id, epoch))
            self._spawn(self._runner.lose(response_id))
        self._strange, self._lost = strange, self._lost & strange
        at = time.monotonic()
        self._idle = {id: self._idle.get(id, at) for id, _ in mine if self._runner.find(id) is None}
        for response_id in [id for id, since in self._idle.items() if at - since > _IDLE_S]:
            del self._idle[response_id]
            self._spawn(self._resume(response_id))

    # ------------------------------------------------------------ the queue

    async def _hand_on(self) -> None:
        """Have made what the dead have left, but what has brought its process down too often."""
        while self._handed:
            handed = self._handed[-1]
            if handed.epoch >= _LAST_EPOCH:
                await self._give_up(handed.response_id, handed.owner)
            else:
                await self._engine.submit(*handed)
            self._handed.pop()
        if self._left:
            await self._resubmit(self._left)
            self._left = ()

    async def _resubmit(self, waiting: Sequence[Waiting]) -> None:
        if count := await self._engine.resubmit(waiting):
            logger.warning("Responses had fallen out of the queue", extra={"count": count})

    async def _give_up_lost(self) -> None:
        for lost in await self._engine.lost():
            await self._engine.forget(lost)
            await self._give_up(lost.response_id, lost.owner)

    async def _give_up(self, response_id: str, owner: str) -> None:
        logger.error("A response was given up", extra={"response_id": response_id})
        await self._background.abandon(response_id)
        await self._announce(response_id, owner)

    async def _seldom(self) -> None:
        if time.monotonic() - self._seldom_at < _SELDOM_S:
            return
        self._seldom_at = time.monotonic()
        await self._resubmit(await self._store.runs.waiting(self._pulse.lease_s / 2))
        if self._following is None or self._following.done():
            self._following = self._spawn(self._follow(await self._store.approvals.due()))
        await self._engine.tidy(60)

    async def _follow(self, decided: Sequence[Due]) -> None:
        """Let responses go on that would have, had those who decided last not died."""
        with suppress(StoreUnavailable):
            for due in decided:
                await self._background.go_on(due, self._engine)


def _patiently() -> AsyncRetrying:
    """For as long as it takes until the database is there."""
    return AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable), wait=wait_exponential(multiplier=0.2, max=5), reraise=True
    )
