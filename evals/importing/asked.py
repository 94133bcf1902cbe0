"""Providers of promptfoo → whom a suite asks, and fields of every request."""

from typing import Any

from evals.importing.found import Imported

Json = dict[str, Any]

#: Fields of a provider's `config` → those of a request.
_FIELDS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "instructions": "instructions",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "reasoning": "reasoning",
    "text": "text",
}
_OURS = "openai"
_PROTOCOLS = ("chat", "responses", "completion")


def asked_of(document: Json, made: Imported) -> Json:
    """`target` and `defaults` of the suite; `made` is told what is lost."""
    given = document.get("providers") or document.get("targets") or []
    providers = given if isinstance(given, list) else [given]
    if not providers:
        return {}
    if len(providers) > 1:
        made.left.append("providers: a suite asks one model; --model names others, one run each.")
    first = providers[0]
    id, config = (first.get("id"), first.get("config") or {}) if isinstance(first, dict) else (first, {})
    asked: Json = {}
    kind, *rest = str(id).split(":")
    if kind == _OURS and rest:
        asked["target"] = {
            "model": ":".join(rest[1:]) if rest[0] in ("chat", "responses", "completion") else ":".join(rest)
        }
    else:
        made.left.append(f"providers: {id!r} is no model of a Responses API; name one with --model.")
    if request := _request(config, made):
        asked["defaults"] = {"request": request}
    return asked


def judges_of(default: Json) -> list[str]:
    """The model that grades, where `defaultTest` names one."""
    given = (default.get("options") or {}).get("provider")
    model = _model(given.get("id") if isinstance(given, dict) else given)
    return [model] if model else []


def _model(id: Any) -> str | None:
    kind, *rest = str(id).split(":")
    if kind != _OURS or not rest:
        return None
    return ":".join(rest[1:] if rest[0] in _PROTOCOLS else rest)


def _request(config: Json, made: Imported) -> Json:
    for name in set(config) - set(_FIELDS):
        made.left.append(f"providers[0].config.{name}: there is nothing like it in a request.")
    return {_FIELDS[name]: value for name, value in config.items() if name in _FIELDS}
