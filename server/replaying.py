"""A `POST /responses` that makes a recorded run again: the request as it was, with what is asked otherwise now."""

from collections.abc import Sequence
from typing import Any, cast

from graph.attachments import attached
from graph.client_tools import is_clients
from graph.errors import Json, RequestError
from graph.recording import Replay
from graph.state import Entry
from server.house import House
from server.wire.problems import read
from server.wire.recording import replay_of
from server.wire.request import CREATE_RESPONSE
from server.wire.tools import checked_tools

#: What says where a conversation stands, is kept and is read: a replay brings its conversation along, is not kept, and
#: answers when it has ended.
_NOT_BESIDE = ("input", "previous_response_id", "conversation", "background", "stream", "prompt")
_NOT_OF_THEN = frozenset({"store", "background", "include"})


def as_it_was(given: Json, kept: Sequence[str]) -> tuple[Json, Replay]:
    """The whole request, and the recording it makes again; of `given` what is not null, `kept` are the fields of a
    request that are kept with a response. Raises `RequestError`.
    """
    _refuse(given)
    replay = replay_of(given["replay"])
    then: Json = given["replay"]["recording"]["request"]
    body = {name: then[name] for name in (*kept, "tools") if name not in _NOT_OF_THEN and then.get(name) is not None}
    body |= {name: value for name, value in given.items() if name != "replay"} | {"input": [], "store": False}
    read(CREATE_RESPONSE, body)
    return body, replay


def tools_as_recorded(tools: Sequence[Any]) -> list[Json]:
    """Hosted tools as they were shown then, whether this server has them or not."""
    at = "replay.recording.request.tools"
    return [tool if _is_hosted(tool) else checked_tools([tool], (), at)[0] for tool in tools]


async def history_of(replay: Replay, owner: str, house: House) -> list[Entry]:
    """What the model had been told. Raises `RequestError`."""
    return await attached(replay.entries, "replay.recording", owner, house.runner.attachments)


def _refuse(given: Json) -> None:
    for name in _NOT_BESIDE:
        if given.get(name):
            message = f"'{name}' makes no sense beside 'replay': what is replayed is in the recording."
            raise RequestError(message, param=name, code="invalid_value")
    if given.get("store"):
        raise RequestError("A replay is not stored.", param="store", code="invalid_value")


def _is_hosted(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(cast(Json, tool).get("type"), str) and not is_clients(cast(Json, tool))
