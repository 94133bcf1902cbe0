"""`python -I DIRECTORY` inside a sandbox."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_HERE = Path(__file__).parent

# This directory, as it is called inside; the one above it cannot be listed everywhere.
spec = spec_from_file_location("runner", _HERE / "__init__.py", submodule_search_locations=[str(_HERE)])
assert spec  # noqa: S101
sys.modules["runner"] = module_from_spec(spec)

sys.path[:] = [place for place in sys.path if place != str(_HERE)]  # code has modules of its own

from runner import supervisor  # pyright: ignore[reportMissingImports]  # noqa: E402

supervisor.main()  # pyright: ignore[reportUnknownMemberType]
