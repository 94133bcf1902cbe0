"""The files that wait to be made searchable, a few at once, by whichever process is free."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from graph.errors import LeaseLost, NotFound, StoreUnavailable, UpstreamError
from graph.vector_stores import ErrorCode, Job
from nodes.documents.parsed import Unreadable
from nodes.file_search.cutter import Cutter, CutterFailed
from nodes.file_search.making import Maker
from nodes.file_search.renewing import Renewing

logger = logging.getLogger(__name__)

#: How often is looked for files that processes have left which died.
_LOOK_S = 1.0


class Ingestion:
    def __init__(
        self, maker: Maker, renewing: Renewing | None = None, stale: Callable[[], None] = lambda: None
    ) -> None:
        """`renewing`: of files that were made with another embedder; `stale` is called when windows are there that
        nobody finds any more."""
        self._maker = maker
        self._renewing = renewing
        self._stale = stale
        self._jobs = maker.jobs
        self._cutter = Cutter()
        self._working: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Do it meanwhile; what is not done on the way out is left to others."""
        tasks = [asyncio.create_task(self._run(), name="ingestion")]
        if self._renewing:
            tasks.append(asyncio.create_task(self._renewing.run(self._cutter), name="renewing"))
        try:
            yield
        finally:
            for each in (working := [*tasks, *self._working]):
                each.cancel()
            await asyncio.wait(working)
            await self._cutter.close()

    async def _run(self) -> None:
        with self._jobs.watch() as news:
            while True:
                news.clear()
                try:
                    await self._take()
                except StoreUnavailable:
                    logger.info("Files wait to be made searchable until the database is there")
                except Exception:
                    logger.exception("Files that wait were not taken; it is tried again")
                waiting = asyncio.create_task(news.wait())
                try:
                    await asyncio.wait([waiting, *self._working], timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()

    async def _take(self) -> None:
        free = self._maker.bounds.files - len(self._working)
        for job in await self._jobs.take(free) if free > 0 else ():
            task = asyncio.create_task(self._do(job))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _do(self, job: Job) -> None:
        try:
            if failed := await self._made(job):
                await self._jobs.fail(job, *failed)
            if failed or job.again:
                self._stale()
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):  # whose lease ends with this process
                await asyncio.shield(self._jobs.leave(job))
            raise
        except LeaseLost:
            await self._leave(job)
        except StoreUnavailable:
            await asyncio.sleep(_LOOK_S)
            await self._leave(job)

    async def _leave(self, job: Job) -> None:
        """It is wanted no more, or is to be begun again: this process lives on, and so its lease would."""
        while True:
            try:
                await self._jobs.leave(job)
                return self._stale()
            except StoreUnavailable:
                await asyncio.sleep(_LOOK_S)

    async def _made(self, job: Job) -> tuple[ErrorCode, str] | None:
        """Why it could not be."""
        try:
            if not await self._maker.make(job, self._cutter):
                raise LeaseLost(job.file_id)
        except (LeaseLost, StoreUnavailable):
            raise
        except Unreadable as unreadable:
            code: ErrorCode = "invalid_file" if unreadable.damaged else "unsupported_file"
            return code, f"The file {unreadable.reason}"
        except NotFound as error:
            return "invalid_file", error.message
        except UpstreamError as error:
            return "server_error", f"Its vectors could not be made: {error.message}"
        except CutterFailed as failed:
            return "server_error", str(failed)
        except Exception:  # a bug ends this file, and not the making of all others
            logger.exception("A file was not made searchable", extra={"file_id": job.file_id})
            return "server_error", "The server failed to make this file searchable."
        return None
