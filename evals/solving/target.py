"""Who is asked the cases of a suite."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from evals.suite.schema import Case, Target
from evals.transcript import Transcript


class Attempts(Protocol):
    """A target that is open for a run."""

    @property
    def shown(self) -> str:
        """Its address without credentials, or `module:graph`."""
        ...

    @property
    def model(self) -> str | None: ...

    async def attempt(self, case: Case, run: str, epoch: int) -> Transcript:
        """Ask one case once; `case` is whole. The same `run`, case and epoch again join what was asked before, where
        the server knows `Idempotency-Key`. What cannot be asked to its end says so in the transcript's `fault`.
        """
        ...


@asynccontextmanager
async def opened(target: Target, directory: str) -> AsyncGenerator[Attempts]:
    """`directory`: where files of cases are. Raises `Unfit`."""
    if target.graph:
        from evals.solving.graph import GraphTarget

        async with GraphTarget.opened(target.graph, target.model, directory) as graph:
            yield graph
    else:
        from evals.solving.server import ServerTarget

        async with ServerTarget.opened(target, directory) as server:
            yield server
