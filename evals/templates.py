"""Templates of suites: `{{item.city}}` in any text of a case. Who wrote a suite is not who runs it: sandboxed."""

from functools import cache
from typing import Any

import regex
from jinja2 import StrictUndefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evals.unfit import Unfit


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)


def filled(value: Any, **names: Any) -> Any:
    """JSON with the templates in its texts filled in; keys stay as they are. Raises `Unfit`."""
    if isinstance(value, str):
        return _text(value, names)
    if isinstance(value, list):
        return [filled(one, **names) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, **names) for key, one in value.items()}
    return value


def _text(text: str, names: dict[str, Any]) -> str:
    if "{{" not in text and "{%" not in text:
        return text
    try:
        return _environment().from_string(text).render(names)
    except TemplateError as error:
        raise Unfit(f"The template {text[:80]!r} cannot be filled in: {error.message}.") from error


def literal(value: Any) -> Any:
    """JSON with texts that are no templates, though they look like some: as `filled` gives them back."""
    if isinstance(value, str):
        return _OPENS.sub(lambda found: "{{ '" + found[0] + "' }}", value)
    if isinstance(value, list):
        return [literal(one) for one in value]
    if isinstance(value, dict):
        return {key: literal(one) for key, one in value.items()}
    return value


_OPENS = regex.compile(r"\{[{%#]")
