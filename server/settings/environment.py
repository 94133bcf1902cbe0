"""The one module that reads the environment."""

import os
from collections.abc import Collection
from pathlib import Path

PREFIX = "GRAPHNEXUS_"
#: Names the settings file.
CONFIG = PREFIX + "CONFIG"


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return setting.upper() if setting.startswith(("openai_", "e2b_")) else PREFIX + setting.upper()


def value(name: str) -> str | None:
    """What a variable says; an empty one says nothing."""
    return os.environ.get(name) or None


def strangers(settings: Collection[str]) -> list[str]:
    """Variables that look like ours and are none of these settings."""
    known = {variable(name) for name in settings} | {CONFIG}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def without(settings: Collection[str]) -> dict[str, str]:
    """The environment less these settings and everything that looks like one."""
    known = {variable(name) for name in settings}
    return {name: said for name, said in os.environ.items() if name not in known and not name.startswith(PREFIX)}


def data_home() -> Path:
    """Where a user's programs keep what they keep. Source: XDG Base Directory Specification."""
    return Path(value("XDG_DATA_HOME") or "~/.local/share")


def watches_loop() -> bool:
    """Whether asyncio is to tell what holds up its loop. Source: Python, `PYTHONASYNCIODEBUG`."""
    return value("PYTHONASYNCIODEBUG") is not None


def share_metrics(directory: str) -> None:
    """Let this process and its children add up what they count. Source: prometheus_client, "Multiprocess Mode"."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory


def shared_metrics() -> str | None:
    """The directory in which several processes add up what they count."""
    return value("PROMETHEUS_MULTIPROC_DIR")
