"""The options of a command as one value: a dataclass, of which each field is an option of Typer."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def with_options(of: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Give a command what the fields of a dataclass say (`Annotated[…, typer.Option(…)]`); it is called with one."""

    def decorate(command: Callable[[T], None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            command(of(**given))

        parameters = [
            inspect.Parameter(
                one.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if one.default is MISSING else one.default,
                annotation=one.type,
            )
            for one in fields(of)  # type: ignore[arg-type]  # a dataclass
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # Typer reads it
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate
