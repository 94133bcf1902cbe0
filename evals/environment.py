"""The one place where evals read the environment."""

import os


def variable(name: str) -> str | None:
    """None where it is unset or empty."""
    return os.environ.get(name) or None
