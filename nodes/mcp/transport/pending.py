"""The calls of a session whose answers all come over one stream, as with SSE and with programs."""

from graph.errors import Json
from nodes.mcp.limits import Limits
from nodes.mcp.transport.asked import Call
from nodes.mcp.transport.message import allowed, error, is_worth_reading, read


class Pending:
    """Which calls wait, and what of a server's messages reaches `mcp` meanwhile."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls: dict[int | str, Call] = {}
        #: What is said while no call waits, or it is not known for which.
        self._aside = Call("", "", limits)

    def sent(self, message: Json) -> None:
        """That `mcp` says this to the server: a call begins, or is given up."""
        method = message.get("method")
        if method == "notifications/cancelled":
            self._calls.pop(message["params"]["requestId"], None)
        elif method and "id" in message:
            self._calls[message["id"]] = Call(message["id"], method, self._limits)

    async def passed(self, text: bytes) -> bytes | None:
        """A message as far as `mcp` may read it. Raises `Broken`."""
        call = next(iter(self._calls.values())) if len(self._calls) == 1 else self._aside
        if not is_worth_reading(text, call):
            return None
        message = await read(text, self._limits)
        if "method" in message:
            return allowed(message, text, call)
        answered = message.get("id")
        if not isinstance(answered, int | str) or answered not in self._calls:
            return None
        passed = allowed(message, text, self._calls[answered])
        del self._calls[answered]
        self._aside = Call("", "", self._limits)
        return passed

    def failed(self, reason: str) -> list[bytes]:
        """The answers of all calls that wait, now that none will come."""
        calls, self._calls = self._calls, {}
        return [error(id, reason) for id in calls]
