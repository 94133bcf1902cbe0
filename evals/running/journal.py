"""What of a run is done, on disk as soon as it is: a line an attempt. A killed run goes on behind it."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from evals.results import Attempt
from evals.suite.schema import Suite
from evals.unfit import Unfit

_ABOUT, _ATTEMPTS = "run.json", "attempts.jsonl"


class About(BaseModel):
    """Which run it is. What resumes it must be the same in all but the first two."""

    model_config = ConfigDict(extra="forbid")

    run: str
    started_at: str
    suite: str
    #: Of cases, graders and everything else that makes verdicts.
    digest: str
    target: str
    model: str | None

    def same(self, other: Self) -> bool:
        return (self.suite, self.digest, self.target, self.model) == (
            other.suite,
            other.digest,
            other.target,
            other.model,
        )


class Line(BaseModel):
    case: str
    attempt: Attempt


class Journal:
    """Open for one process at a time; lines are whole, or not counted."""

    def __init__(self, directory: Path, about: About) -> None:
        self.directory = directory
        self.about = about
        #: Attempts without a fault, by case and epoch.
        self.done: dict[tuple[str, int], Attempt] = {}
        self._file = directory / _ATTEMPTS
        self._read()
        self._out = self._file.open("ab")

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, suite: Suite, target: str, model: str | None) -> Iterator[Self]:
        """Of a new run, or of one that was not finished. Raises `Unfit` when the directory holds another run."""
        about = About(
            run=secrets.token_hex(8),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            suite=suite.name,
            digest=digest(suite),
            target=target,
            model=model,
        )
        known = _known(directory)
        if known is None:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / _ABOUT).write_text(about.model_dump_json(indent=1))
        elif not known.same(about):
            raise Unfit(
                f"{directory} holds a run of another suite, target or model ({known.suite}, {known.target}, "
                f"{known.model}): name another --out."
            )
        journal = cls(directory, known or about)
        with closing(journal._out):
            yield journal

    def note(self, case: str, attempt: Attempt) -> None:
        """On its way to the disk when this returns: it outlives the process."""
        self._out.write(Line(case=case, attempt=attempt).model_dump_json().encode() + b"\n")
        self._out.flush()
        if not attempt.fault:
            self.done[case, attempt.epoch] = attempt

    def _read(self) -> None:
        if not self._file.exists():
            return
        whole = self._file.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):  # the process died while it wrote
            with self._file.open("r+b") as file:
                file.truncate(end)
        for line in whole[:end].splitlines():
            noted = Line.model_validate_json(line)
            if not noted.attempt.fault:
                self.done[noted.case, noted.attempt.epoch] = noted.attempt


def digest(suite: Suite) -> str:
    """Where files lie, how many cases are asked at once and what must be reached may change."""
    said = suite.model_dump(mode="json", exclude={"directory", "concurrency", "thresholds", "target", "description"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _known(directory: Path) -> About | None:
    file = directory / _ABOUT
    if not file.exists():
        return None
    try:
        return About.model_validate_json(file.read_text())
    except ValueError as error:
        raise Unfit(f"{file} does not say which run it is of: name another --out.") from error
