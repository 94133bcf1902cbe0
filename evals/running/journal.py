"""What of a run is done, on disk as soon as it is: a line an attempt. A killed run goes on behind it."""

import fcntl
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

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

    def __init__(self, about: About, out: BinaryIO) -> None:
        """`out`: its lines, open at their end, and locked."""
        self.about = about
        #: Attempts without a fault, by case and epoch.
        self.done: dict[tuple[str, int], Attempt] = {}
        self._out = out
        self._read()

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, suite: Suite, target: str, model: str | None) -> Iterator[Self]:
        """Of a new run, or of one that was not finished. Raises `Unfit` when the directory holds another run, or one
        that is going on.
        """
        about = About(
            run=secrets.token_hex(8),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            suite=suite.name,
            digest=digest(suite),
            target=target,
            model=model,
        )
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / _ATTEMPTS).open("a+b") as out:
            _lock(out, directory)
            known = _known(directory)
            if known is None:
                _write(directory / _ABOUT, about.model_dump_json(indent=1))
            elif not known.same(about):
                raise Unfit(
                    f"{directory} holds a run of another suite, target or model ({known.suite}, {known.target}, "
                    f"{known.model}): name another --out."
                )
            yield cls(known or about, out)

    def note(self, case: str, attempt: Attempt) -> None:
        """On its way to the disk when this returns: it outlives the process."""
        self._out.write(Line(case=case, attempt=attempt).model_dump_json().encode() + b"\n")
        self._out.flush()
        if not attempt.fault:
            self.done[case, attempt.epoch] = attempt

    def _read(self) -> None:
        self._out.seek(0)
        whole = self._out.read()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):  # the process died while it wrote
            self._out.truncate(end)
        for number, line in enumerate(whole[:end].split(b"\n")[:-1], 1):
            try:
                noted = Line.model_validate_json(line)
            except ValueError as error:
                raise Unfit(f"{self._out.name}:{number}: no attempt of a run: name another --out.") from error
            if not noted.attempt.fault:
                self.done[noted.case, noted.attempt.epoch] = noted.attempt


def _lock(out: BinaryIO, directory: Path) -> None:
    """Held until it is closed, by whatever end of the process."""
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Unfit(f"Another process runs what is kept in {directory}: wait, or name another --out.") from error


def _write(path: Path, text: str) -> None:
    """Whole, or not at all."""
    made = path.with_suffix(".new")
    made.write_text(text)
    made.replace(path)


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
