"""New vectors for files that have those of another embedder, in the background; words find them all the while."""

import asyncio
import logging

from graph.errors import LeaseLost, StoreUnavailable, UpstreamError
from graph.vector_stores import Renewal
from nodes.file_search.cutter import Cutter, CutterFailed
from nodes.file_search.port import Embedder, Renewals

logger = logging.getLogger(__name__)

#: How often is looked. Seldom, for servers that are set up differently would take turns for ever.
_EVERY_S = 600.0
#: Windows at once: questions wait for no more than these.
_TOGETHER = 32


class Renewing:
    def __init__(self, rows: Renewals, embedder: Embedder) -> None:
        self._rows = rows
        self._embedder = embedder

    async def run(self, cutter: Cutter) -> None:
        """Until cancelled."""
        while True:
            try:
                while renewal := await self._rows.take(self._embedder.space):
                    await self._leased(renewal, cutter)
            except (UpstreamError, CutterFailed, StoreUnavailable) as error:
                logger.warning("Files keep their old vectors for now", extra={"why": str(error)})
            except Exception:
                logger.exception("Files keep their old vectors; it is tried again")
            await asyncio.sleep(_EVERY_S)

    async def _leased(self, renewal: Renewal, cutter: Cutter) -> None:
        try:
            await self._renew(renewal, cutter)
        except LeaseLost:  # the file has gone or changed
            await self._rows.leave(renewal)
        except BaseException:
            await asyncio.shield(self._rows.leave(renewal))
            raise

    async def _renew(self, renewal: Renewal, cutter: Cutter) -> None:
        beyond, known = 0, self._embedder.languages
        while found := await self._rows.texts(renewal, beyond, _TOGETHER):
            beyond = found[-1][0]
            if known is not None:
                languages = await cutter.languages([text for _, text in found])
                found = [one for one, language in zip(found, languages, strict=True) if language in (*known, "")]
            if found:
                vectors = await self._embedder.embed([text for _, text in found])
                await self._rows.add(renewal, dict(zip([id for id, _ in found], vectors, strict=True)))
        await self._rows.complete(renewal)
