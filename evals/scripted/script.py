"""The rules of a scripted model: what it says to what it is asked. Read from YAML."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import regex
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.templates import filled
from evals.unfit import Unfit

Json = dict[str, Any]

SHIPPED = Path(__file__).parent / "models"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Call(Strict):
    name: str
    arguments: Json | str = Field(default_factory=dict[str, Any])


class Rule(Strict):
    """Holds if everything holds that it says of a request; the first rule that holds answers."""

    #: Found in the last message of the user.
    user: str | None = None
    #: Found in the last tool message; with it the last message is one of a tool's.
    tool: str | None = None
    #: Found in the system's or developer's messages.
    system: str | None = None
    #: Functions that must be offered.
    offered: list[str] = Field(default_factory=list[str])
    #: How many tool messages have come since the user spoke.
    round: int | None = None
    #: Templates; they may name `user`, `tool`, `system`, `history` (what the user said, in order), `found` (groups of
    #: the pattern that decided) and `offered`.
    say: str | None = None
    think: str | None = None
    calls: list[Call] = Field(default_factory=list[Call])
    #: What the answer must be if a schema is asked for.
    json_: Any = Field(default=None, alias="json")
    finish: Literal["stop", "length", "content_filter"] | None = None


class Script(Strict):
    name: str = "scripted"
    rules: list[Rule]
    otherwise: str = "I have no rule for that."


class Reply(NamedTuple):
    text: str
    thought: str
    #: Name and arguments, as text.
    calls: list[tuple[str, str]]
    finish: str


class Asked(NamedTuple):
    """What rules look at in a request."""

    user: str
    tool: str
    system: str
    history: list[str]
    offered: list[str]
    round: int
    #: Whether the last message is a tool's.
    told: bool


def read(path: Path) -> Script:
    """Raises `Unfit`."""
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
        return Script.model_validate(given)
    except OSError as error:
        raise Unfit(f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise Unfit(f"{path} is no YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unfit(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def find(named: str) -> Path:
    """A path, or the name of a shipped script. Raises `Unfit`."""
    path, shipped = Path(named), SHIPPED / f"{named}.yaml"
    if path.exists():
        return path
    if shipped.exists():
        return shipped
    names = ", ".join(sorted(one.stem for one in SHIPPED.glob("*.yaml")))
    raise Unfit(f"{named!r} is neither a file nor one of the scripts that are shipped: {names}.")


def asked(body: Json) -> Asked:
    messages: list[Json] = body.get("messages") or []
    said = [_text(message) for message in messages if message["role"] == "user"]
    since = [at for at, message in enumerate(messages) if message["role"] == "user"]
    tail = messages[since[-1] + 1 :] if since else messages
    told = [_text(message) for message in tail if message["role"] == "tool"]
    return Asked(
        user=said[-1] if said else "",
        tool=told[-1] if told else "",
        system="\n".join(_text(message) for message in messages if message["role"] in ("system", "developer")),
        history=said,
        offered=[tool["function"]["name"] for tool in body.get("tools") or ()],
        round=len(told),
        told=bool(messages) and messages[-1]["role"] == "tool",
    )


def _text(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def reply(script: Script, body: Json) -> Reply:
    what = asked(body)
    for rule in script.rules:
        found = _found(rule, what)
        if found is not None:
            return _reply(rule, what._asdict() | {"found": found})
    return Reply(script.otherwise, "", [], "stop")


def _found(rule: Rule, what: Asked) -> list[str] | None:
    """Groups of its patterns; None if it does not hold."""
    if (rule.tool is not None) != what.told or (rule.round is not None and rule.round != what.round):
        return None
    if not set(rule.offered) <= set(what.offered):
        return None
    groups: list[str] = []
    for pattern, text in ((rule.user, what.user), (rule.tool, what.tool), (rule.system, what.system)):
        if pattern is None:
            continue
        match = regex.search(pattern, text, regex.IGNORECASE | regex.DOTALL, timeout=1)
        if match is None:
            return None
        groups += [match[0], *(group or "" for group in match.groups())]
    return groups


def _reply(rule: Rule, names: Json) -> Reply:
    def as_text(value: Any) -> str:
        said = filled(value, **names)
        return said if isinstance(said, str) else json.dumps(said)

    calls = [(filled(call.name, **names), as_text(call.arguments)) for call in rule.calls]
    text = as_text(rule.json_) if rule.json_ is not None else filled(rule.say or "", **names)
    return Reply(text, filled(rule.think or "", **names), calls, rule.finish or ("tool_calls" if calls else "stop"))
