"""Everything that is kept, on one database."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from checkpoints.approvals import Approvals
from checkpoints.checkpoint import Checkpoints
from checkpoints.containers import Containers
from checkpoints.conversations import Conversations
from checkpoints.credentials import Credentials
from checkpoints.database import Database
from checkpoints.events import Events
from checkpoints.facts import Facts
from checkpoints.feed import Feed
from checkpoints.idempotency import Idempotency
from checkpoints.item_log import ItemLogs, LogCache
from checkpoints.keys import Keys
from checkpoints.responses import Responses
from checkpoints.retention import Retention
from checkpoints.runs import Runs
from checkpoints.saver import AppendOnlySaver
from checkpoints.workers import Workers


@dataclass(frozen=True, slots=True)
class Store:
    """An open store, seen from one process."""

    saver: AppendOnlySaver
    responses: Responses
    conversations: Conversations
    keys: Keys
    runs: Runs
    events: Events
    workers: Workers
    facts: Facts
    idempotency: Idempotency
    retention: Retention
    approvals: Approvals
    credentials: Credentials
    containers: Containers
    #: For what keeps bytes beside its rows, or is told of news.
    database: Database
    feed: Feed
    #: Figures of its connections, for metrics; of a file none.
    pool: Callable[[], dict[str, int]]


def store_on(database: Database, feed: Feed, cache: LogCache, version: str) -> Store:
    """The parts of a store, for a process that is given an id of its own."""
    worker = secrets.token_hex(8)
    logs = ItemLogs(cache)
    checkpoints = Checkpoints(logs)
    responses = Responses(database, checkpoints, logs)
    conversations = Conversations(database, checkpoints, worker)
    return Store(
        saver=AppendOnlySaver(database, checkpoints, cache, feed, worker),
        responses=responses,
        conversations=conversations,
        keys=Keys(database),
        runs=Runs(database, feed, worker),
        events=Events(database, feed),
        workers=Workers(database, responses, worker, version),
        facts=Facts(database),
        idempotency=Idempotency(database, worker),
        approvals=Approvals(database),
        credentials=Credentials(database),
        containers=Containers(database, feed, worker),
        database=database,
        feed=feed,
        retention=Retention(database, checkpoints, responses, conversations),
        pool=database.pool,
    )
