"""A grader made of others, and a formula for their scores.

Source: `openai.types.graders.MultiGrader`; functions and operators of `calculate_output` as OpenAI's guide has them.
"""

import ast
import asyncio
import math
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.transcript import Transcript

if TYPE_CHECKING:
    from evals.graders import AnyGrader

_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min, "max": max, "abs": abs, "floor": math.floor, "ceil": math.ceil, "exp": math.exp, "sqrt": math.sqrt,
    "log": math.log,
}  # fmt: skip
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: lambda a, b: math.pow(a, b),
}  # fmt: skip


class Multi(Grader):
    """`calculate_output`: `0.7 * right + 0.3 * min(short, polite)`, by the names in `graders`."""

    type: Literal["multi"]
    graders: "dict[str, AnyGrader]" = Field(min_length=1)
    calculate_output: str
    pass_threshold: float = 0.5

    @property
    def wants_recording(self) -> bool:
        return any(one.wants_recording for one in self.graders.values())

    @model_validator(mode="after")
    def _calculates(self) -> Self:
        try:
            calculated(self.calculate_output, dict.fromkeys(self.graders, 0.5))
        except (SyntaxError, KeyError, TypeError) as problem:
            names = ", ".join(self.graders)
            raise ValueError(
                f"calculate_output is a formula of {names} with + - * / ** and {', '.join(_FUNCTIONS)} ({problem})"
            ) from problem
        except (ArithmeticError, ValueError):
            pass  # other scores may fit
        return self

    async def grade(self, made: Transcript, means: Means) -> Grade:
        parts = [one if one.turn is not None else one.model_copy(update={"turn": self.turn}) for one in self._parts()]
        grades = dict(zip(self.graders, await asyncio.gather(*(one.grade(made, means) for one in parts)), strict=True))
        try:
            score = float(calculated(self.calculate_output, {name: grade.score for name, grade in grades.items()}))
        except (ArithmeticError, ValueError) as problem:
            raise CannotGrade(f"{self.called!r} cannot calculate {self.calculate_output}: {problem}.") from problem
        shown = "; ".join(f"{name} {grade.score:.2f} ({grade.why})" for name, grade in grades.items())
        why = f"{self.calculate_output} is {score:.3f}, wanted {self.pass_threshold:g}: {shown}"
        tokens = sum(grade.judge_tokens for grade in grades.values())
        return self.given(min(1.0, max(0.0, score)), score >= self.pass_threshold, why, tokens)

    def _parts(self) -> list[Grader]:
        return list(self.graders.values())


def calculated(formula: str, scores: Mapping[str, float]) -> float:
    """Raises `SyntaxError`, `KeyError` or `TypeError` for what is no such formula, `ArithmeticError` for 1/0."""
    return _value(ast.parse(formula, mode="eval").body, scores)


def _value(node: ast.expr, scores: Mapping[str, float]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return scores[name]
        case ast.UnaryOp(op=ast.USub(), operand=of):
            return -_value(of, scores)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, scores), _value(right, scores))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(one, scores) for one in args))
    raise SyntaxError(f"{ast.unparse(node)} is not known")
