"""`python -I DIRECTORY` inside a sandbox."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent)

from runner import supervisor  # pyright: ignore[reportMissingImports]  # noqa: E402  # this directory, as it is called inside

sys.path.pop(0)
supervisor.main()  # pyright: ignore[reportUnknownMemberType]
