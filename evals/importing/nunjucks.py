"""Templates of promptfoo, which are Nunjucks', as Jinja's: variables, filters, conditions and loops are alike."""

from functools import cache
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evals.unfit import Unfit

Json = dict[str, Any]


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(undefined=Undefined, keep_trailing_newline=True, autoescape=False)


def rendered(value: Any, item: Json) -> Any:
    """With variables filled in; what is not there is empty. Raises `Unfit`."""
    return _each(value, lambda text: _environment().from_string(text).render(item))


def named(value: Any, item: Json) -> Any:
    """With `{{x}}` said as `{{item.x}}`, for the variables there are. Raises `Unfit`."""
    return _each(value, lambda text: _renamed(text, item))


def unnamed(value: Any, item: Json) -> set[str]:
    """Variables that templates name and `item` has not. Raises `Unfit`."""
    found = set[str]()
    _each(value, lambda text: found.update(find_undeclared_variables(_environment().parse(text))) or text)
    return found - set(item)


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, list):
        return [_each(one, change) for one in value]
    if isinstance(value, dict):
        return {key: _each(one, change) for key, one in value.items()}
    if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
        return value
    try:
        return change(value)
    except TemplateError as error:
        raise Unfit(f"The template {value[:80]!r} cannot be read: {error.message}.") from error


def _renamed(text: str, item: Json) -> str:
    said, before = list[str](), ""
    for _, kind, token in _environment().lex(text):
        of_its_own = before in (".", "|")
        said.append(f"item.{token}" if kind == "name" and token in item and not of_its_own else token)
        before = before if kind == "whitespace" else token
    return "".join(said)
