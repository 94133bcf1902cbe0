"""What a person who starts the server is told."""

import asyncio
import shutil

from server import __version__
from server.house import House
from server.settings import Settings

#: A slow model server does not hold the banner up.
_LIST_TIMEOUT_S = 10.0
_SHOWN = 8

_EXAMPLE = """
  from openai import OpenAI
  client = OpenAI(base_url="{base_url}", api_key="{key}")
  print(client.responses.create(model="{model}", input="Hello!").output_text)
"""


async def show(settings: Settings, address: str, house: House) -> None:
    """Print address, models, place of the data, and a call that works."""
    base_url = f"{address}/v1"
    print(f"GraphNexus {__version__} listens on {base_url}", flush=True)
    names = await _models(house)
    print(f"Models: {_listed(names)}")
    print(f"Data:   {settings.database if settings.database_url else settings.directory}")
    if lacks_packages(settings):
        print("Code:   runs without numpy, pandas and the like; `graphnexus sandbox install` prepares them")
    if settings.workers > 1:
        print(f"Serving with {settings.workers} processes")
    keyed = settings.api_keys or await house.store.keys.list()
    model = names[0] if names else "MODEL"
    print(_EXAMPLE.format(base_url=base_url, key="YOUR KEY" if keyed else "any", model=model), flush=True)


def lacks_packages(settings: Settings) -> bool:
    """Whether code can be run here, and would find no packages."""
    from nodes.sandbox import interpreter

    if settings.sandbox not in ("auto", "bwrap") or settings.sandbox_python or not shutil.which("bwrap"):
        return False
    return interpreter.prepared(settings.directory / "sandbox") is None


async def _models(house: House) -> list[str]:
    try:
        async with asyncio.timeout(_LIST_TIMEOUT_S):
            return [model["id"] for model in await house.models.listed()]
    except TimeoutError:
        return []


def _listed(names: list[str]) -> str:
    if names == ["demo"]:
        return "demo (built in; use your own with --upstream URL)"
    if not names:
        return "none found; `graphnexus doctor` says why"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
