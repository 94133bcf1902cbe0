"""What a model is offered to call, and the call while it writes it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import orjson

from graph.errors import Json, ToolFailed
from graph.events import Emitter, OpenItem

NAME_LIMIT = 64


class Draft(Protocol):
    """A call while the model writes it."""

    def write(self, arguments: str) -> None: ...

    def close(self) -> OpenItem:
        """All arguments are in; the item is said to its end. Raises `ToolFailed` when they make no sense."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A function the model may call."""

    name: str
    description: str
    parameters: Json
    #: `(emitter, call_id)` → a draft of the call's item.
    draft: Callable[[Emitter, str], Draft]
    strict: bool | None = None
    #: Not to be called before a search for tools has found it.
    deferred: bool = False

    def definition(self) -> Json:
        function: Json = {"name": self.name, "description": self.description, "parameters": self.parameters}
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}


class ChatCall(NamedTuple):
    """A call item as a chat assistant message says it."""

    call_id: str
    name: str
    arguments: str


def model_name(name: str, namespace: str | None = None) -> str:
    """The function name a model sees: `namespace__name`, cut with a digest where servers allow no more.

    A namespace that has the function's own name is that of a function which was found and is of none.
    """
    full = f"{namespace}__{name}" if namespace and namespace != name else name
    if len(full) <= NAME_LIMIT:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{full[: NAME_LIMIT - 9]}_{digest}"


def parsed(arguments: str) -> Json:
    """Arguments as an object. Raises `ToolFailed` with words a model can act on."""
    try:
        value: Any = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError as error:
        raise ToolFailed(f"The arguments are not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ToolFailed("The arguments must be a JSON object.")
    return cast(Json, value)


# ---------------------------------------------------------------- drafts


class FunctionDraft:
    """Streams its arguments as the model writes them."""

    def __init__(self, shown: OpenItem, written: Sequence[str] = ()) -> None:
        """`written`: what has been said of the arguments before."""
        self._written = list(written)
        self._shown = shown
        self._shown.before_abandon = self._finish

    def write(self, arguments: str) -> None:
        self._written.append(arguments)
        self._shown.event("function_call_arguments.delta", delta=arguments)

    def _finish(self) -> None:
        arguments = "".join(self._written)
        self._shown.item = {**self._shown.item, "arguments": arguments}
        self._shown.event("function_call_arguments.done", arguments=arguments, name=self._shown.item["name"])

    def close(self) -> OpenItem:
        self._finish()
        self._shown.close()
        return self._shown


class WholeDraft:
    """Waits for all arguments, then says the item in one go."""

    def __init__(self, say: Callable[[str], OpenItem]) -> None:
        self._say = say
        self._written: list[str] = []

    def write(self, arguments: str) -> None:
        self._written.append(arguments)

    def close(self) -> OpenItem:
        return self._say("".join(self._written))


def single(name: str, description: str, parameters: Json, say: Callable[[Emitter, str, Json], OpenItem]) -> Offer:
    """An offer of a tool with a fixed name, whose item is said once its arguments are whole."""
    return Offer(
        name,
        description,
        parameters,
        lambda emitter, call_id: WholeDraft(lambda arguments: say(emitter, call_id, parsed(arguments))),
    )
