"""Weighs the places that settings come from, and says where a bad one was found."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError, TomlConfigSettingsSource

from server.settings import environment
from server.settings.settings import Settings

DEFAULT_FILE = Path("graphnexus.toml")
#: Settings whose values are not repeated.
_SECRET = re.compile(r"key|secret|database_url|authorization|\.(env|headers)\.")


class BadSetting(Exception):
    """A setting that cannot be used: one line that names it and says where it was found."""


class _Source(NamedTuple):
    values: Mapping[str, Any]
    #: What a setting is called there.
    naming: str

    def place(self, setting: str) -> str:
        return self.naming.format(flag=setting.replace("_", "-"), variable=environment.variable(setting))


def load(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Weigh flags, environment and file; None among the flags means not given. Raises `BadSetting`."""
    given = {name: value for name, value in flags.items() if value is not None}
    path = _file(config)
    sources = [_Source(given, "--{flag}"), _Source(_environment(), "{variable}"), _Source(_toml(path), str(path))]
    merged = {name: value for source in reversed(sources) for name, value in source.values.items()}
    try:
        return Settings(**merged)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting = str(first["loc"][0]) if first["loc"] else ""
        place = next((source.place(setting) for source in sources if setting in source.values), "default")
        raise BadSetting(f"{_sentence(first)} ({place})") from None


def unknown_variables() -> list[str]:
    """Variables that look like ours and are no setting; a typing error, or Kubernetes' service links."""
    return environment.strangers(Settings.model_fields)


def bare_environment() -> dict[str, str]:
    """The environment less everything that is a setting, for a child that is told its settings otherwise."""
    return environment.without(Settings.model_fields)


def _file(config: Path | None) -> Path | None:
    said = environment.value(environment.CONFIG)
    named = config or (Path(said) if said else None)
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not named.is_file():
        raise BadSetting(f"config: there is no file {named} ({'--config' if config else environment.CONFIG})")
    return named


def _environment() -> dict[str, Any]:
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise BadSetting(f"{error} (environment)") from None


def _toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return TomlConfigSettingsSource(Settings, path)()
    except (OSError, ValueError) as error:
        raise BadSetting(f"config: {error} ({path})") from None


def _sentence(error: ErrorDetails) -> str:
    """`port: Input should be a valid integer, found 'x'`; the value of a secret is never shown."""
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    message = error["msg"].removeprefix("Value error, ").replace("\n", " ").replace("valid tuple", "list")
    shown = isinstance(error["input"], str | int | float) and not _SECRET.search(name)
    return f"{name}: {message}, found {error['input']!r}" if shown else f"{name}: {message}"
