"""What is over goes, a little at a time: what has expired, what nobody can ask for again, what was kept to be resumed.

Nothing is removed that a response or conversation reads which stays: all of them have checkpoints of their own, which
hold on to their items. What is being made has a row in `run` and is left alone. Safe beside running servers: a log's
number is never given twice, so what they remember of it is at worst of no use.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from checkpoints import container
from checkpoints.checkpoint import Checkpoints
from checkpoints.conversations import Conversations
from checkpoints.database import Database, Rows
from checkpoints.over import IDLE, Rule, decisions, events_before, id_at, keys, some, workers, writes
from checkpoints.responses import Responses

#: How long others may write before it goes on, as many times as it took.
_PAUSE = 2


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds that things are kept; None is for ever."""

    #: Responses, since they were made. One with an expiry of its own goes by that, too.
    response_s: float | None = None
    #: Conversations, since they were last used. Responses in them go by their own age.
    conversation_s: float | None = None
    #: Events, since their response ended.
    event_s: float | None = 24 * 3600
    #: Containers and their files, since they were last used.
    container_s: float | None = None
    #: The steps of a response, since it ended: until then they show how it came about.
    step_s: float = 3600


class Pruned(NamedTuple):
    """How many went."""

    responses: int = 0
    conversations: int = 0
    #: Responses whose events went.
    events: int = 0
    #: Checkpoints of steps on the way to an end.
    steps: int = 0
    containers: int = 0
    #: Idempotency keys, decisions, rows of processes that are gone, writes that lead nowhere.
    leftovers: int = 0


class Retention:
    """Any process may do it, beside others that serve or do the same."""

    def __init__(
        self, database: Database, checkpoints: Checkpoints, responses: Responses, conversations: Conversations
    ) -> None:
        self._database = database
        self._checkpoints = checkpoints
        self._responses = responses
        self._conversations = conversations

    async def take(self, every_s: float) -> bool:
        """Whether the hourly work is this process's now: nobody has begun it in the last `every_s` seconds."""
        clock = self._database.clock
        sql = (
            f"INSERT INTO job (name, begun_at) VALUES ('retention', {clock}) ON CONFLICT (name) DO UPDATE "
            f"SET begun_at = excluded.begun_at WHERE job.begun_at <= {clock} - ?"
        )
        work = self._database.write(lambda rows: rows.execute(sql, (every_s,)).rowcount)
        return await asyncio.wrap_future(work) == 1

    async def size_bytes(self) -> int:
        """What the database takes on disk."""
        found = self._database.read(lambda rows: rows.execute(self._database.size).fetchone()[0])
        return int(await asyncio.wrap_future(found))

    async def prune(self, ages: Ages, *, dry: bool = False) -> Pruned:
        """Remove what is over, or only count it; pauses, so that the writer is free most of the time."""
        counts = dict.fromkeys(Pruned._fields, 0)
        for rule in self._rules(ages, await self._now()):
            counts[rule.kind] += await (self._count(rule) if dry else self._apply(rule))
        if not dry:
            await self._shrink()
        return Pruned(**counts)

    async def expire(self) -> int:
        """Remove the responses that have an expiry of their own, those only; gives their number."""
        return await self._apply(self._expired(await self._now()))

    async def vacuum(self) -> None:
        """Let the operating system have what `prune` has freed, as far as it goes; may take long."""
        await asyncio.wrap_future(self._database.vacuum())

    # ------------------------------------------------------------ a little at a time

    async def _now(self) -> float:
        sql = f"SELECT {self._database.clock}"
        return float(await asyncio.wrap_future(self._database.read(lambda rows: rows.execute(sql).fetchone()[0])))

    async def _count(self, rule: Rule) -> int:
        return await asyncio.wrap_future(self._database.read(rule.count))

    async def _apply(self, rule: Rule) -> int:
        removed = 0
        while page := await asyncio.wrap_future(self._database.read(rule.find)):
            went = await self._remove(rule, page)
            if not went:
                break
            removed += went
        return removed

    async def _remove(self, rule: Rule, page: Sequence[Sequence[Any]]) -> int:
        removed = 0
        while page:
            begun = time.monotonic()
            looked, went = await asyncio.wrap_future(self._database.write(partial(some, rule, page)))
            removed += went
            page = page[looked:]
            await asyncio.sleep(_PAUSE * (time.monotonic() - begun))
        return removed

    async def _shrink(self) -> None:
        more = True
        while more:
            begun = time.monotonic()
            more = await asyncio.wrap_future(self._database.shrink())
            await asyncio.sleep(_PAUSE * (time.monotonic() - begun))

    # ------------------------------------------------------------ what is over

    def _rules(self, ages: Ages, now: float) -> list[Rule]:
        """What is small goes first: a response that goes has only its last checkpoint then."""
        rules = [keys(now), workers(now), writes(now), decisions(now), self._steps(now - ages.step_s)]
        if ages.event_s is not None:
            rules.append(events_before(now - ages.event_s))
        rules.append(self._expired(now))
        if ages.response_s is not None:
            rules.append(self._of_responses("r.created_at < ?", now - ages.response_s))
        if ages.conversation_s is not None:
            rules.append(self._of_conversations(now - ages.conversation_s))
        if ages.container_s is not None:
            rules.append(self._of_containers(now - ages.container_s))
        return rules

    def _expired(self, now: float) -> Rule:
        return self._of_responses("r.expires_at <= ?", now)

    def _of_responses(self, past: str, limit: float) -> Rule:
        return Rule(
            "responses",
            ("r.owner", "r.id"),
            f"FROM response r WHERE {past} AND {IDLE.format('r.id')}",
            (limit,),
            lambda rows, named: self._responses.remove(rows, *named),
        )

    def _of_conversations(self, before: float) -> Rule:
        return Rule(
            "conversations",
            ("v.owner", "v.id"),
            "FROM conversation v WHERE v.used_at < ? AND v.holder IS NULL",
            (before,),
            lambda rows, named: self._conversations.remove(rows, *named),
        )

    def _of_containers(self, before: float) -> Rule:
        """Their bytes are loose then, and go soon after; see `checkpoints.shelf`."""

        def remove(rows: Rows, named: Sequence[Any]) -> None:
            owner, id = named
            container.remove(rows, owner, id, self._database.clock)

        return Rule("containers", ("owner", "id"), "FROM container WHERE used_at < ?", (before,), remove)

    def _steps(self, before: float) -> Rule:
        """All of an ended response but its own checkpoint, and all of one that is gone; heads of conversations stay."""
        over = (
            "FROM checkpoint s LEFT JOIN response r ON r.id = s.response_id "
            "LEFT JOIN checkpoint e ON e.key = r.checkpoint WHERE s.response_id IS NOT NULL AND s.id < ? "
            "AND (r.id IS NULL OR (r.status NOT IN ('queued', 'in_progress') AND e.id < ?)) "
            "AND NOT EXISTS (SELECT 1 FROM response o WHERE o.checkpoint = s.key) "
            "AND NOT EXISTS (SELECT 1 FROM conversation v WHERE v.checkpoint = s.key) "
            f"AND {IDLE.format('s.response_id')}"
        )
        several = (
            "SELECT m.response_id FROM checkpoint m WHERE m.response_id IS NOT NULL "
            "GROUP BY m.response_id HAVING COUNT(*) > 1"
        )
        limit = id_at(before)
        drop = self._checkpoints.drop
        return Rule(
            "steps",
            ("s.key",),
            over,
            (limit, limit),
            lambda rows, named: drop(rows, named),
            f"AND s.response_id IN ({several})",
        )
