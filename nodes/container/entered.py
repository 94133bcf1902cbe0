"""A container during one call."""

from collections.abc import Sequence

from graph.containers import ContainerFile, Fresh
from graph.errors import RequestError, ToolFailed
from nodes.container.live import Live, once
from nodes.sandbox.port import Sandbox

#: Sentences at once.
_NOTES = 10


class Entered:
    def __init__(self, live: Live, *, fresh: bool, lost: bool) -> None:
        self._live = live
        #: The sandbox is another one than at the last call: the model may want to know when `lost`, too.
        self.fresh = fresh
        #: Variables of earlier calls were there once and are not any more.
        self.lost = lost

    @property
    def sandbox(self) -> Sandbox:
        return self._live.sandbox

    @property
    def notes(self) -> Sequence[str]:
        """What the model is to know of the files, in sentences: which could not be kept."""
        notes = self._live.notes
        more = [f"{len(notes) - _NOTES} more files were not kept."] if len(notes) > _NOTES else []
        return (*notes[:_NOTES], *more)

    async def changed(self) -> Sequence[ContainerFile]:
        """Files that code has made or changed since it was last asked, kept now. Raises `Broken`."""
        return await self._live.copy_out()

    async def keep(self, filename: str, content: bytes) -> ContainerFile:
        """Make a file of the container, as code would have; its name is changed when there is one of that name.

        Raises `Broken`, `ToolFailed`.
        """
        try:
            kept = await self._live.add([Fresh(self._live.free(filename), "assistant", once(content))])
        except (RequestError, OSError) as error:
            why = error.message if isinstance(error, RequestError) else "the storage failed."
            raise ToolFailed(f"{filename} could not be kept: {why}") from error
        return kept[0]
