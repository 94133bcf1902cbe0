"""LangGraph's saver over the item log: what a turn adds is what it costs."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)

from checkpoints import events, index, runs, thread
from checkpoints.checkpoint import Address, Checkpoints, Row, find, thread_key
from checkpoints.database import Database, Rows, Work
from checkpoints.encoding import dumps, loads
from checkpoints.feed import Feed
from checkpoints.item_log import Kept, LogCache
from checkpoints.version import next_version
from graph.errors import Json
from graph.hold import Batch, Hold

#: Checkpoints read at once while listing.
_PAGE = 20
_UPSERT = {
    True: "ON CONFLICT (thread, ns, checkpoint_id, task_id, idx) DO UPDATE SET "
    "task_path = excluded.task_path, channel = excluded.channel, value = excluded.value",
    False: "ON CONFLICT DO NOTHING",
}

#: Where a checkpoint goes, and the work that puts it there.
Put = tuple[Address, Work[list[Kept]]]


class AppendOnlySaver(BaseCheckpointSaver[str]):
    """Stores state as JSON; channels that are an `ItemLog` by what they have more than their parent.

    The logs it returns are shared with other readers: never change them.
    Writing and deleting waits for the commit; the synchronous methods block the calling thread meanwhile.
    """

    def __init__(self, database: Database, checkpoints: Checkpoints, cache: LogCache, feed: Feed, worker: str) -> None:
        super().__init__()
        self._database = database
        self._feed = feed
        self._checkpoints = checkpoints
        self._cache = cache
        self._worker = worker
        #: What this process holds of responses whose steps are kept while they are made.
        self.holds: dict[str, Hold] = {}
        #: Responses of which nothing more is to be written: LangGraph saves once again while a run is cancelled.
        self.fenced: set[str] = set()

    def get_next_version(self, current: str | None, channel: None) -> str:
        return next_version(current)

    # ------------------------------------------------------------ put

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """One transaction: the checkpoint, what it adds to the log, its response and its conversation's head; and of
        a response that is held, the events up to here. Raises `LeaseLost` when it is held no longer.
        """
        response_id = config.get("configurable", {}).get("response_id", "")
        hold = self.holds.get(response_id)
        if response_id in self.fenced or (hold and hold.lost):
            return config
        if hold is None:
            at, work = self._put(config, checkpoint, metadata)
            self._remember(await asyncio.wrap_future(self._database.write(work)))
            return _config(at)
        record = cast(Json, checkpoint["channel_values"].get("response") or {})
        async with hold.along(introduces=record.get("id") == response_id) as batch:
            at, work = self._put(config, checkpoint, metadata, hold, batch)
            with hold.step():
                self._remember(await asyncio.wrap_future(self._database.write(work)))
            hold.entered = True
        hold.reached(checkpoint["id"])
        self._feed.tell(hold.lease.response_id)
        return _config(at)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        at, work = self._put(config, checkpoint, metadata)
        self._remember(self._database.write(work).result())
        return _config(at)

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        hold: Hold | None = None,
        batch: Batch | None = None,
    ) -> Put:
        thread_id, ns = _thread(config)
        at = Address(thread_id, ns, checkpoint["id"])
        told = cast(Json, get_serializable_checkpoint_metadata(config, metadata))

        def work(rows: Rows) -> list[Kept]:
            if hold:
                runs.enter(rows, hold, self._database.clock)
            key, kept = self._checkpoints.put(rows, at, get_checkpoint_id(config), checkpoint, told)
            if not ns:
                self._index(rows, key, checkpoint["channel_values"].get("response"), told, hold)
            if hold and batch:
                events.insert(rows, hold.lease, batch)
            return kept

        return at, work

    def _index(self, rows: Rows, key: int, record: Any, told: Json, hold: Hold | None) -> None:
        if hold is None and "response_id" in told and not index.ended(record, told):
            runs.enter_unheld(rows, told["response_id"], self._worker, self._database.clock)
        self._checkpoints.drop(rows, index.index(rows, key, record, told, hold))

    def _remember(self, kept: Sequence[Kept]) -> None:
        for log in kept:
            self._cache.keep(log)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Raises `LeaseLost` when the response is held no longer."""
        hold = self.holds.get(config.get("configurable", {}).get("response_id", ""))
        put = _put_writes(config, writes, task_id, task_path)

        def work(rows: Rows) -> None:
            if hold and not hold.queued:
                runs.enter(rows, hold, self._database.clock)
            put(rows)

        with hold.step() if hold else nullcontext():
            await asyncio.wrap_future(self._database.write(work))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self._database.write(_put_writes(config, writes, task_id, task_path)).result()

    # ------------------------------------------------------------ get

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the thread's newest."""
        return await asyncio.wrap_future(self._database.read(self._get(config)))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self._database.read(self._get(config)).result()

    def _get(self, config: RunnableConfig) -> Work[CheckpointTuple | None]:
        thread_id, ns = _thread(config)
        id = get_checkpoint_id(config)
        where = "t.id = ? AND c.ns = ? AND c.id = ?" if id else "t.id = ? AND c.ns = ? ORDER BY c.id DESC LIMIT 1"

        def work(rows: Rows) -> CheckpointTuple | None:
            found = find(rows, where, (thread_id, ns, id) if id else (thread_id, ns))
            return self._tuple(rows, found[0]) if found else None

        return work

    def _tuple(self, rows: Rows, row: Row) -> CheckpointTuple:
        parent = row.address._replace(checkpoint_id=row.parent_id) if row.parent_id else None
        return CheckpointTuple(
            config=_config(row.address),
            checkpoint=self._checkpoints.checkpoint(rows, row),
            metadata=cast(CheckpointMetadata, row.metadata),
            parent_config=parent and _config(parent),
            pending_writes=_pending(rows, row.address),
        )

    # ------------------------------------------------------------ list

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Newest first; `filter` compares metadata for equality."""
        pages = thread.Pages(config, before, filter or {}, limit, _PAGE)
        while (rows := await asyncio.wrap_future(self._database.read(pages.next))) is not None:
            for row in rows:
                if found := await asyncio.wrap_future(self._database.read(self._one(row))):
                    yield found

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        pages = thread.Pages(config, before, filter or {}, limit, _PAGE)
        while (rows := self._database.read(pages.next).result()) is not None:
            for row in rows:
                if found := self._database.read(self._one(row)).result():
                    yield found

    def _one(self, row: Row) -> Work[CheckpointTuple | None]:
        def work(rows: Rows) -> CheckpointTuple | None:
            found = find(rows, "c.key = ?", (row.key,))
            return self._tuple(rows, found[0]) if found else None

        return work

    async def athreads(self, limit: int) -> Sequence[str]:
        """Ids of the newest threads, newest first."""
        return await asyncio.wrap_future(self._database.read(lambda rows: thread.newest(rows, limit)))

    # ------------------------------------------------------------ delete and copy

    async def adelete_thread(self, thread_id: str) -> None:
        await self._drop(lambda rows: thread.all_of(rows, thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await self._drop(lambda rows: thread.of_runs(rows, run_ids))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`keep_latest` keeps the newest checkpoint of each namespace and the heads of conversations.

        Responses whose checkpoint goes are unknown afterwards.
        """
        choose = thread.old_of if strategy == "keep_latest" else thread.all_of
        await self._drop(lambda rows: [key for id in thread_ids for key in choose(rows, id)])

    async def _drop(self, choose: Work[Iterable[int]]) -> None:
        await asyncio.wrap_future(self._database.write(lambda rows: self._checkpoints.drop(rows, choose(rows))))
        await asyncio.wrap_future(self._database.shrink())

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Values and log are shared, not copied."""
        work = thread.copy(source_thread_id, target_thread_id)
        await asyncio.wrap_future(self._database.write(work))


def _thread(config: RunnableConfig) -> tuple[str, str]:
    configurable = config.get("configurable", {})
    return str(configurable["thread_id"]), configurable.get("checkpoint_ns") or ""


def _config(at: Address) -> RunnableConfig:
    id = {"thread_id": at.thread_id, "checkpoint_ns": at.ns, "checkpoint_id": at.checkpoint_id}
    return {"configurable": id}


def _put_writes(config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str) -> Work[None]:
    """A regular write is kept as it came first, a special one (error, interrupt, resume) as it came last."""
    thread_id, ns = _thread(config)

    def work(rows: Rows) -> None:
        task = (thread_key(rows, thread_id), ns, get_checkpoint_id(config), task_path, task_id)
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            rows.execute(
                "INSERT INTO write (thread, ns, checkpoint_id, task_path, task_id, idx, channel, value) "
                f"VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_UPSERT[index < 0]}",
                (*task, index, channel, dumps(value)),
            )

    return work


def _pending(rows: Rows, at: Address) -> list[PendingWrite]:
    sql = (
        "SELECT w.task_id, w.channel, w.value FROM write w JOIN thread t ON t.key = w.thread "
        "WHERE t.id = ? AND w.ns = ? AND w.checkpoint_id = ? ORDER BY w.task_path, w.task_id, w.idx"
    )
    return [(task_id, channel, loads(value)) for task_id, channel, value in rows.execute(sql, at).fetchall()]
