"""A `container` (or the `environment` of a shell) as callers declare it: what it must say, and how it is echoed.

Source: CONTRACT of the Responses API, "code_interpreter", and openai.types.responses.ContainerAuto.
"""

import re
from collections.abc import Sequence
from typing import Any, cast, get_args

from graph.containers import MemoryLimit
from graph.errors import Json, RequestError
from nodes.sandbox.network.domains import as_domain

AUTO = ("auto", "container_auto")
REFERENCE = "container_reference"
LIMITS: Sequence[str] = get_args(MemoryLimit)
MAX_FILES = 50
_MAX_DOMAINS = 100
_MAX_SKILLS = 100
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TYPES = {str: "a string", list: "an array", dict: "an object"}


def checked(container: Any, param: str) -> Json | str:
    """As it is echoed: the values of secrets are gone. Raises `RequestError` at or below `param`."""
    if container is None:
        raise RequestError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if isinstance(container, str):
        return _id(container, param)
    declared = cast(Json, _of(container, dict, param))
    kind = declared.get("type")
    if kind == REFERENCE:
        _id(_required(declared, "container_id", str, param), f"{param}.container_id")
    elif kind in AUTO:
        check_auto(declared, param)
    else:
        names = "'auto', 'container_auto', 'container_reference'"
        raise _invalid(f"Invalid value: '{str(kind)[:100]}'. Supported values are: {names}.", f"{param}.type")
    return echo(declared)


def echo(declared: Json) -> Json:
    policy: Json = declared.get("network_policy") or {}
    if not policy.get("domain_secrets"):
        return declared
    named = [{"domain": secret["domain"], "name": secret["name"]} for secret in policy["domain_secrets"]]
    return {**declared, "network_policy": {**policy, "domain_secrets": named}}


def check_auto(declared: Json, param: str = "") -> None:
    """What a container is made of; `param` is empty where it is the body itself."""
    ids = _optional(declared, "file_ids", list, param)
    where = _under(param, "file_ids")
    _bounded(ids, MAX_FILES, where)
    for index, id in enumerate(ids):
        _of(id, str, f"{where}[{index}]")
    limit = declared.get("memory_limit")
    if limit is not None and limit not in LIMITS:
        names = ", ".join(f"'{name}'" for name in LIMITS)
        where = _under(param, "memory_limit")
        raise _invalid(f"Invalid value: '{str(limit)[:100]}'. Supported values are: {names}.", where)
    if declared.get("network_policy") is not None:
        _check_policy(declared["network_policy"], _under(param, "network_policy"))
    _check_skills(_optional(declared, "skills", list, param), _under(param, "skills"))


def _check_policy(given: Any, param: str) -> None:
    policy = cast(Json, _of(given, dict, param))
    if policy.get("type") == "disabled":
        return
    if policy.get("type") != "allowlist":
        message = f"Invalid value: '{str(policy.get('type'))[:100]}'. Supported values are: 'disabled', 'allowlist'."
        raise _invalid(message, f"{param}.type")
    domains = _required(policy, "allowed_domains", list, param)
    _bounded(domains, _MAX_DOMAINS, f"{param}.allowed_domains")
    for index, domain in enumerate(domains):
        where = f"{param}.allowed_domains[{index}]"
        try:
            as_domain(_of(domain, str, where))
        except ValueError as error:
            raise _invalid(f"Invalid '{where}': {error}", where) from error
    for index, secret in enumerate(_optional(policy, "domain_secrets", list, param)):
        _check_secret(secret, domains, f"{param}.domain_secrets[{index}]")


def _check_secret(given: Any, domains: Sequence[str], param: str) -> None:
    secret = cast(Json, _of(given, dict, param))
    if _required(secret, "domain", str, param) not in domains:
        raise _invalid(f"Invalid '{param}.domain': it is not one of the allowed domains.", f"{param}.domain")
    if not _SECRET_NAME.fullmatch(_required(secret, "name", str, param)):
        message = f"Invalid '{param}.name': expected a letter or '_', then up to 127 letters, digits or '_'."
        raise _invalid(message, f"{param}.name")
    _required(secret, "value", str, param)


def _check_skills(skills: Sequence[Any], param: str) -> None:
    """Only that they are objects of a known type; what they say is read by who keeps skills."""
    _bounded(skills, _MAX_SKILLS, param)
    for index, skill in enumerate(skills):
        kind = cast(Json, _of(skill, dict, f"{param}[{index}]")).get("type")
        if kind not in ("skill_reference", "inline"):
            message = f"Invalid value: '{str(kind)[:100]}'. Supported values are: 'skill_reference', 'inline'."
            raise _invalid(message, f"{param}[{index}].type")


# ---------------------------------------------------------------- shapes


def _id(id: str, param: str) -> str:
    if not id.startswith("cntr"):
        raise _invalid(f"Invalid '{param}': '{id[:100]}'. Expected an ID that begins with 'cntr'.", param)
    return id


def _required(given: Json, name: str, kind: type, param: str) -> Any:
    where = _under(param, name)
    if given.get(name) is None:
        raise RequestError(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    return _of(given[name], kind, where)


def _optional(given: Json, name: str, kind: type, param: str) -> Any:
    """Where there is none, an empty one."""
    return kind() if given.get(name) is None else _of(given[name], kind, _under(param, name))


def _of(value: Any, kind: type, param: str) -> Any:
    if not isinstance(value, kind):
        message = f"Invalid type for '{param}': expected {_TYPES[kind]}."
        raise RequestError(message, param=param, code="invalid_type")
    return value


def _bounded(given: Sequence[Any], limit: int, param: str) -> None:
    if len(given) > limit:
        message = f"Invalid '{param}': array too long. Expected a maximum length of {limit}."
        raise RequestError(message, param=param, code="array_above_max_length")


def _under(param: str, name: str) -> str:
    return f"{param}.{name}" if param else name


def _invalid(message: str, param: str) -> RequestError:
    return RequestError(message, param=param, code="invalid_value")
