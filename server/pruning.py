"""What is over is removed: every hour by one of the servers on a database, and by `graphnexus prune`."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from checkpoints.retention import Ages, Pruned, Retention
from server.settings import BadSetting, Settings

logger = logging.getLogger(__name__)

_DAY_S = 24 * 3600.0
_EVERY_S = 3600.0
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": _DAY_S, "w": 7 * _DAY_S}
_BYTES_OF_MB = 1e6


def ages_of(settings: Settings, older_than: str | None = None, events_older_than: str | None = None) -> Ages:
    """How long things are kept; ages given by hand count instead of the settings. Raises `BadSetting`."""
    days, idle_days = settings.response_ttl_days, settings.conversation_ttl_days
    ages = Ages(
        response_s=None if days is None else days * _DAY_S,
        conversation_s=None if idle_days is None else idle_days * _DAY_S,
        event_s=settings.event_ttl_hours * 3600,
        container_s=None if settings.container_ttl_days is None else settings.container_ttl_days * _DAY_S,
    )
    if older_than is not None:
        ages = replace(ages, response_s=_seconds(older_than), conversation_s=_seconds(older_than))
    return ages if events_older_than is None else replace(ages, event_s=_seconds(events_older_than))


async def run(
    retention: Retention, ages: Ages, *also: Callable[[], Awaitable[object]], every_s: float = _EVERY_S
) -> None:
    """Remove what is over every `every_s` seconds, until cancelled; of the servers on a database one does it at a time.

    Responses with an expiry of their own go within a minute or two: there are few, and minutes are promised.
    `also`: what else is to be done then, such as forgetting finished work of the queue.
    """
    while True:
        await asyncio.sleep(every_s * random.uniform(0.01, 0.03))  # noqa: S311 (nothing secret)
        try:
            await retention.expire()
            if await retention.take(0.9 * every_s):
                await _prune(retention, ages, also)
        except Exception:
            logger.exception("What is over was not removed; it is tried again later")


async def _prune(retention: Retention, ages: Ages, also: tuple[Callable[[], Awaitable[object]], ...]) -> None:
    begun = time.monotonic()
    pruned = await retention.prune(ages)
    for act in also:
        await act()
    logger.info("What is over was removed", extra={**pruned._asdict(), "seconds": round(time.monotonic() - begun, 3)})


# ---------------------------------------------------------------- by hand


def _seconds(age: str) -> float:
    """`30d`, `12h`, `90m`, `45s`, `2w`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", age)
    if found is None:
        raise BadSetting(f"{age}: an age is a number and its unit, such as 30d, 12h, 90m or 45s")
    return float(found[1]) * _UNITS_S[found[2]]


async def by_hand(retention: Retention, ages: Ages, *, dry: bool) -> str:
    """Remove what is over, or only count it; says what has gone."""
    before, begun = await retention.size_bytes(), time.monotonic()
    pruned = await retention.prune(ages, dry=dry)
    if dry:
        return "\n".join(["Would remove:", *_lines(pruned), f"The database has {_mb(before)}."])
    await retention.vacuum()
    took_s = time.monotonic() - begun
    after = await retention.size_bytes()
    sizes = f"The database had {_mb(before)} and has {_mb(after)} now; it took {took_s:.1f} s."
    return "\n".join(["Removed:", *_lines(pruned), sizes])


def _lines(pruned: Pruned) -> list[str]:
    told = {
        "responses": pruned.responses,
        "conversations": pruned.conversations,
        "containers": pruned.containers,
        "steps of ended responses": pruned.steps,
        "responses' events": pruned.events,
        "leftovers": pruned.leftovers,
    }
    return [f"{count:>9}  {what}" for what, count in told.items()]


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / _BYTES_OF_MB:.1f} MB"
