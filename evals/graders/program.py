"""A grader that is a Python function, OpenAI's or our own.

Source: `openai.types.graders.PythonGrader`: `source` defines `grade(sample, item)`, which gives a number, or whether.
It runs in a process of its own, without the environment's secrets, for a limited time; it is no sandbox: run suites of
people you trust.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.looking import cut, text
from evals.graders.text import named
from evals.transcript import Transcript

Json = dict[str, Any]
_CHILD = Path(__file__).with_name("child.py")


class Python(Grader):
    type: Literal["python"]
    source: str | None = None
    #: `module:name` beside the suite, instead of a source.
    function: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    pass_threshold: float = 0.5
    timeout_s: float = Field(default=10, gt=0)
    #: Of OpenAI's; there is one Python here.
    image_tag: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.source is None) == (self.function is None):
            raise ValueError("a python grader has either a source or a function")
        return self

    async def grade(self, made: Transcript, means: Means) -> Grade:
        sample = {**named(made, text(self, made), means)["sample"], "transcript": made.model_dump(mode="json")}  # type: ignore[dict-item]  # it is a dict
        asked = {"source": self.source, "function": self.function, "sample": sample, "item": means.item}
        told = await self._run({**asked, "directory": means.directory})
        score = told.get("score")
        if not isinstance(score, int | float):
            raise CannotGrade(f"{self.called!r} gives {cut(told.get('problem') or score)} instead of a number.")
        why = f"It gives {score:g}, wanted {self.pass_threshold:g}."
        return self.given(min(1.0, max(0.0, score)), score >= self.pass_threshold, why)

    async def _run(self, asked: Json) -> Json:
        """Raises `CannotGrade`."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(_CHILD), cwd=asked["directory"], env={"PYTHONHASHSEED": "0"},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self.timeout_s):
                said, _ = await child.communicate(json.dumps(asked).encode())
        except TimeoutError:
            raise CannotGrade(f"{self.called!r} takes longer than {self.timeout_s:g} s.") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return json.loads(said) if said else {"problem": f"exit status {child.returncode}"}
