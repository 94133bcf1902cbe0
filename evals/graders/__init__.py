"""Graders: what a suite may say of a transcript. `AnyGrader` is all of them, told apart by `type`."""

from typing import Any

from evals.graders.grading import CannotGrade, Grade, Grader, Means

#: Read by `evals.suite.schema`; becomes the union of all graders with `Field(discriminator="type")`.
AnyGrader = Any

__all__ = ["AnyGrader", "CannotGrade", "Grade", "Grader", "Means"]
