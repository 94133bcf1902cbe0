"""Which hosted calls wait for somebody's yes: what the operator rules, and what the caller wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

import orjson

from graph.errors import Json
from graph.ports import Function

Policy = Literal["always", "ask", "never"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of the calls that all its patterns match; `*`, `?` and `[…]` are shell wildcards."""

    #: `always`: they wait, whatever the caller says. `ask`: unless the caller waives it. `never`: only if he asks.
    policy: Policy
    #: The tool's type, e.g. `mcp`.
    tool: str = "*"
    #: The label of a configured MCP server, whatever a request calls it; of others their `server_label`; of other
    #: tools their type.
    server: str = "*"
    #: The function's name, as an approval request says it.
    name: str = "*"
    owner: str = "*"
    #: Argument → pattern of its value: texts as they are, all else as JSON. An argument left out matches nothing.
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])

    def fits(self, owner: str, function: Function) -> bool:
        server, name = function.known_as, function.origin[1]
        asked = ((self.owner, owner), (self.tool, function.kind), (self.server, server), (self.name, name))
        return all(fnmatchcase(value, pattern) for pattern, value in asked)

    def covers(self, arguments: Json) -> bool:
        return all(
            name in arguments and fnmatchcase(_text(arguments[name]), pattern)
            for name, pattern in self.arguments.items()
        )


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules, for one owner's calls: of those that match the first counts."""

    owner: str
    rules: Sequence[Rule] = ()
    #: What becomes of calls with side effects after a stranger's text; see `untrusted`.
    untrusted: Literal["allow", "ask"] = "allow"
    #: Whether such a text has reached the model, and they wait therefore.
    wary: bool = False

    def may_ask(self, function: Function) -> bool:
        """Whether it takes the arguments to know that a call need not wait."""
        for rule in self.rules:
            if rule.fits(self.owner, function):
                if self._waits(rule.policy, function):
                    return True
                if not rule.arguments:
                    return False
        return _wanted(function) or self._suspects(function)

    def asks(self, function: Function, arguments: Json) -> bool:
        """Whether this call waits for an approval."""
        for rule in self.rules:
            if rule.fits(self.owner, function) and rule.covers(arguments):
                return self._waits(rule.policy, function)
        return _wanted(function) or self._suspects(function)

    def _waits(self, policy: Policy, function: Function) -> bool:
        """What a rule says in so many words holds: `never` is also the operator's way to free a tool of suspicion."""
        return _waits(policy, function) or (policy != "never" and self._suspects(function))

    def _suspects(self, function: Function) -> bool:
        return self.wary and not function.repeatable


def _waits(policy: Policy, function: Function) -> bool:
    if policy == "always":
        return True
    return function.wants_approval is not False if policy == "ask" else function.wants_approval is True


def _wanted(function: Function) -> bool:
    return function.cautious if function.wants_approval is None else function.wants_approval


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
