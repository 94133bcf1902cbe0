"""What is counted of responses, seen from the runner."""

from collections.abc import Callable
from typing import Literal, Protocol

from graph.errors import Json

#: How a response ended; or it never began, its only reader left, or another process goes on with it.
Outcome = Literal["completed", "failed", "incomplete", "cancelled", "refused", "left", "handed_on"]
#: Called once, with the usage of the response if there is one.
Ended = Callable[[Outcome, Json | None], None]


class Meter(Protocol):
    def begun(self, model: str) -> Ended:
        """A response is being made."""
        ...


class NoMeter:
    """Counts nothing."""

    def begun(self, model: str) -> Ended:
        return lambda outcome, usage: None
