"""Where Chromium is on this machine, and what it needs of it."""

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
#: Scripts of distributions start these; a script may read what is not there in a sandbox.
_BINARIES = ("/usr/lib/chromium/chromium", "/usr/lib64/chromium-browser/chromium-browser")
#: Where Playwright installs browsers, newest last. Source: playwright.dev, "Managing browser binaries".
_INSTALLED = "ms-playwright/chromium-*/chrome-linux*/chrome"
_CACHES = (".cache", "Library/Caches")

MISSING = (
    "No Chromium was found: install one (`apt-get install chromium`, or `playwright install chromium`), or name it in "
    "the setting `browser_chromium`."
)
NO_PLAYWRIGHT = "Browsers need Playwright: install the extra `browser` (`uv sync --extra browser`)."


def problem(named: Path | None) -> str | None:
    """What is missing, and what helps."""
    if find_spec("playwright") is None:
        return NO_PLAYWRIGHT
    if named is not None and not named.is_file():
        return f"The setting `browser_chromium` names {named}, which is no file."
    return None if find(named) else MISSING


def find(named: Path | None) -> Path | None:
    if named is not None:
        return named
    for binary in map(Path, _BINARIES):
        if binary.is_file():
            return binary
    if found := next(filter(None, map(shutil.which, _NAMES)), None):
        return Path(found)
    installed = [path for cache in _CACHES for path in sorted((Path.home() / cache).glob(_INSTALLED))]
    return installed[-1] if installed else None


def needs(chromium: Path) -> Sequence[str]:
    """Directories it is in, beside the system's."""
    place = chromium.resolve().parent
    return () if place.is_relative_to("/usr") else (str(place),)
