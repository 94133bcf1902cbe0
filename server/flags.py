"""Every setting as a flag of the command line, made from `Settings` itself."""

import inspect
import json
from collections.abc import Callable, Collection
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from server.settings import Settings, load

#: Settings that hold a secret are no flags: other users of a machine can read a command line.
_SECRET = frozenset(
    {
        "openai_base_url",
        "openai_api_key",
        "api_keys",
        "secret_key",
        "database_url",
        "metrics_key",
        "webhook",
        "approval",
        "mcp_server",
        "e2b_api_key",
        "file_search_chroma_token",
    }
)
#: Tables that fit no command line.
_TABLES = frozenset({"approval"})
ALL = frozenset(Settings.model_fields) - _SECRET - _TABLES


def with_settings(flags: Collection[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command `--config` and a flag for each of these settings; it is called with the loaded `Settings`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "settings"]

        def run(**given: Any) -> None:
            kept = {parameter.name: given.pop(parameter.name) for parameter in own}
            command(settings=load(given, given.pop("config")), **kept)

        parameters = [*own, _config_flag(), *(_flag(name) for name in Settings.model_fields if name in flags)]
        run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]  # Typer reads it
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _config_flag() -> inspect.Parameter:
    kind = Annotated[Path | None, typer.Option("--config", help="Settings file. Default: ./graphnexus.toml, if any.")]
    return inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _flag(name: str) -> inspect.Parameter:
    """The flag of a setting. Values stay text: `Settings` alone says what is right, in one line."""
    field = Settings.model_fields[name]
    kinds = get_args(field.annotation) if get_origin(field.annotation) in (UnionType, Union) else (field.annotation,)
    kind, shown = (str, name.rpartition("_")[2].upper())
    if bool in kinds:
        kind, shown = bool, None
    elif tuple in {get_origin(k) for k in kinds}:
        kind, shown = list[str], "URL" if name == "upstream" else "NAME"
    default = "" if field.default in (None, False, ()) else f" Default: {field.default}."
    spelling = "--" + name.replace("_", "-")
    names = [f"{spelling}/--no-{spelling[2:]}"] if kind is bool else [spelling]
    option = typer.Option(*names, help=f"{_meaning(field)}{default}", metavar=shown, show_default=False)
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def table() -> str:
    """Every setting in Markdown, one row each: name, default, meaning."""
    rows = [f"| `{name}` | {_default(field)} | {_meaning(field)} |" for name, field in Settings.model_fields.items()]
    return "\n".join(["| setting | default | what it is |", "| --- | --- | --- |", *rows])


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _default(field: FieldInfo) -> str:
    return "" if field.default in (None, ()) else f"`{json.dumps(field.default, default=str)}`"
