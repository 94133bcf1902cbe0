"""A run of a suite: what was not asked yet is asked, graded, noted; then everything is summed up."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from evals.results import Attempt, RunResult
from evals.running.grading import Graders, judging
from evals.running.journal import Journal
from evals.running.summing import result_of
from evals.solving.site import served
from evals.solving.target import Attempts, opened
from evals.suite.schema import Case, Suite
from evals.suite.whole import whole
from evals.transcript import Transcript
from evals.unfit import Unfit
from evals.wellformed import kept

#: Told of every attempt, and whether it was known from before.
Told = Callable[[Attempt, bool], None]


class Queued:
    """A target that is asked by so many cases at once."""

    def __init__(self, target: Attempts, at_once: int) -> None:
        self._target = target
        self._free = asyncio.Semaphore(at_once)

    @property
    def shown(self) -> str:
        return self._target.shown

    @property
    def model(self) -> str | None:
        return self._target.model

    async def attempt(self, case: Case, run: str, epoch: int) -> Transcript:
        async with self._free:
            return kept(await self._target.attempt(case, run, epoch))


class Run:
    def __init__(
        self, cases: Mapping[str, Case], target: Attempts, graders: Graders, journal: Journal, told: Told
    ) -> None:
        """`cases` are whole."""
        self._cases = cases
        self._target = target
        self._graders = graders
        self._journal = journal
        self._told = told
        #: What came of it, by case and epoch.
        self.made = dict(journal.done)

    async def make(self, case_id: str, epoch: int) -> Attempt:
        """What was noted is not asked again; what was begun and not noted is joined where the server allows it."""
        if (known := self._journal.done.get((case_id, epoch))) is not None:
            self._told(known, True)
            return known
        case = self._cases[case_id]
        made = await self._target.attempt(case, self._journal.about.run, epoch)
        attempt = await self._graders.graded(case, made)
        self.made[case_id, epoch] = attempt
        self._journal.note(case_id, attempt)
        self._told(attempt, False)
        return attempt


async def run(suite: Suite, directory: Path, told: Told) -> RunResult:
    """Run a suite, or what of it was not done when the process before was killed. Raises `Unfit`."""
    from evals.running.inspected import inspected

    with served(suite) as site:
        cases = {case.id: whole(case, suite, site) for case in suite.cases}
        async with opened(suite.target, suite.directory) as target, judging(suite.judge) as judge:
            since = time.perf_counter()
            with Journal.opened(directory, suite, target.shown, target.model) as journal:
                one = Run(cases, Queued(target, suite.concurrency), Graders(suite, judge), journal, told)
                before = [*(directory / "logs").glob("*.eval")]
                logs = await inspected(suite, one.make, directory / "logs")
            if errors := [log.error.message for log in logs if log.error]:
                raise Unfit(
                    f"The run ended early: {errors[0]}. The same command with --out {directory} goes on with it."
                )
            if all(log.status == "success" for log in logs):
                for log in before:
                    log.unlink()  # the new ones have all that is in them
            return result_of(suite, journal.about, one.made, time.perf_counter() - since)
