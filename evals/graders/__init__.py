"""Graders: what a suite may say of a transcript. `AnyGrader` is all of them, told apart by `type`."""

from typing import Annotated

from pydantic import Field

from evals.graders.budget import Budget, Repairs
from evals.graders.calls import CheckpointState, ForbiddenTool, NodePath, ToolCall, Trajectory
from evals.graders.citations import Citations
from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.judged import LabelModel, ScoreModel
from evals.graders.leak import SecretLeak
from evals.graders.multi import Multi
from evals.graders.program import Python
from evals.graders.similarity import Distance, TextSimilarity
from evals.graders.structured import JsonPath, JsonSchema, Numeric
from evals.graders.text import Contains, Exact, Regex, StringCheck, expected
from evals.graders.wire import Events, Refused, ResponseField

AnyGrader = Annotated[
    StringCheck
    | Exact
    | Contains
    | Regex
    | TextSimilarity
    | Distance
    | ScoreModel
    | LabelModel
    | Python
    | Multi
    | JsonSchema
    | JsonPath
    | Numeric
    | ToolCall
    | ForbiddenTool
    | Trajectory
    | NodePath
    | CheckpointState
    | Citations
    | Budget
    | Repairs
    | SecretLeak
    | Refused
    | ResponseField
    | Events,
    Field(discriminator="type"),
]

Multi.model_rebuild(_types_namespace={"AnyGrader": AnyGrader})

__all__ = ["AnyGrader", "CannotGrade", "Grade", "Grader", "Means", "expected"]
