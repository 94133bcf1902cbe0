"""What `doctor` says of the database. A schema that is to be migrated is left as it is."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator

from checkpoints import STORES, Known, Store, Unusable
from checkpoints.about import About, about
from checkpoints.schema import must_migrate
from graph.errors import StoreUnavailable
from server import __version__
from server.finding import Finding
from server.secret import knows_seal
from server.settings import Settings

_TRIES = 5
#: Clocks further apart make times in responses hard to read; leases go by the database's alone.
_APART_S = 1.0
#: A slower database is felt in every response.
_SLOW_S = 0.02
#: Connections of a process beside its pool: one that listens, and those of the queue.
_BESIDE = 21


async def examine(settings: Settings) -> AsyncIterator[Finding | Store]:
    """Everything worth saying, the open store among it if it opens."""
    place = settings.database
    try:
        if place.kind == "postgresql":
            found = await asyncio.to_thread(about, place.url.get_secret_value())
            yield Finding("fine", f"The database answers: {place}, PostgreSQL {found.version}")
            if must_migrate(found.schema):
                yield Finding("note", "Its tables are not there, or of an earlier version.", "`serve` makes them.")
                return
            yield _connections(settings, found)
        async with STORES[place.kind](place.place) as store:
            yield Finding("fine", f"The store opens: {place}")
            async for finding in _store(settings, store):
                yield finding
            yield store
    except (StoreUnavailable, OSError) as error:
        fix = f"Move {place} away, or mend it." if place.path else "Start it, or correct `database_url`."
        yield Finding("broken", f"The store does not open: {place}: {error}", fix)
    except Unusable as error:
        yield Finding("broken", f"The store does not open: {place}: {error}", "Use the version that wrote it.")


def _connections(settings: Settings, found: About) -> Finding:
    wanted = settings.workers * (settings.database_pool + _BESIDE)
    what = f"It has {found.connections} of {found.max_connections} connections; this server may take {wanted}."
    if found.connections + wanted <= found.max_connections:
        return Finding("fine", what)
    return Finding("note", what, "Lower `database_pool`, or raise max_connections of PostgreSQL.")


async def _store(settings: Settings, store: Store) -> AsyncIterator[Finding]:
    yield await _answers(store)
    if settings.database.kind == "postgresql":
        yield await _sealed(settings, store)
        yield _replicas(settings, await store.workers.known())


async def _answers(store: Store) -> Finding:
    """How quickly, and what time it has."""
    took, apart = list[float](), list[float]()
    for _ in range(_TRIES):
        since, wall = time.perf_counter(), time.time()
        clock = await store.facts.clock()
        took.append(time.perf_counter() - since)
        apart.append(clock - wall - took[-1] / 2)
    answer_s, apart_s = statistics.median(took), statistics.median(apart)
    what = f"It answers in {answer_s * 1000:.1f} ms; its clock is {apart_s:+.3f} s from this machine's."
    if abs(apart_s) > _APART_S:
        return Finding("note", what, "Let both follow the same time server.")
    return Finding("note" if answer_s > _SLOW_S else "fine", what)


async def _sealed(settings: Settings, store: Store) -> Finding:
    match await knows_seal(settings, store.facts):
        case None:
            return Finding("fine", "No key has sealed anything yet; the first server to start settles it.")
        case True:
            return Finding("fine", "The sealing key is the one this database is used with.")
        case False:
            fix = "Give every replica the same GRAPHNEXUS_SECRET_KEY."
            return Finding("broken", "The sealing key is not the one this database is used with.", fix)


def _replicas(settings: Settings, known: list[Known]) -> Finding:
    alive = [one for one in known if one.silent_s < settings.lease_s]
    if not alive:
        return Finding("fine", "No process serves this database now.")
    versions = Counter(one.version or "?" for one in alive)
    shown = ", ".join(f"{count} of {version}" for version, count in sorted(versions.items()))
    what = f"Processes that serve this database: {shown}."
    if set(versions) == {__version__}:
        return Finding("fine", what)
    return Finding("note", what, "Fine during an upgrade; end it by restarting the others.")
