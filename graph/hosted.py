"""A hosted call while the model writes it: shown at once, or when it is whole if somebody may have to approve it."""

from graph.approvals import REQUEST
from graph.events import Emitter, OpenItem
from graph.offers import parsed
from graph.policy import Guard
from graph.ports import Function


class HostedDraft:
    """A call of a hosted tool: shown at once, announced when its arguments are whole, closed by its node."""

    def __init__(self, emitter: Emitter, function: Function) -> None:
        self._function = function
        self._written: list[str] = []
        self.shown = emitter.open(function.item())
        self._listen = function.writing(self.shown)

    def write(self, arguments: str) -> None:
        self._written.append(arguments)
        self._listen(arguments)

    @property
    def arguments(self) -> str:
        return "".join(self._written)

    def close(self) -> OpenItem:
        self._function.announce(self.shown, self.arguments)
        return self.shown


class GuardedDraft:
    """A call of a hosted tool that may have to be approved: which it is to be is known from all its arguments."""

    def __init__(self, emitter: Emitter, function: Function, guard: Guard) -> None:
        self._emitter = emitter
        self._function = function
        self._guard = guard
        self._written: list[str] = []

    def write(self, arguments: str) -> None:
        self._written.append(arguments)

    def close(self) -> OpenItem:
        arguments = "".join(self._written)
        if self._guard.asks(self._function, parsed(arguments)):
            label, name = self._function.origin
            shown = self._emitter.open({"type": REQUEST, "arguments": arguments, "name": name, "server_label": label})
            shown.close()
            return shown
        hosted = HostedDraft(self._emitter, self._function)
        hosted.write(arguments)
        return hosted.close()
