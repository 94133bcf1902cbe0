"""The one place where evals read the environment, and set what libraries read from it."""

import os


def variable(name: str) -> str | None:
    """None where it is unset or empty."""
    return os.environ.get(name) or None


def quiet_inspect() -> None:
    """inspect_ai shows nothing of its own, unless somebody wants to see it; before it is imported."""
    os.environ.setdefault("INSPECT_DISPLAY", "none")
