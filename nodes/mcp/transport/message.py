"""Which messages of a server reach `mcp`: its answer to the call, and so much of the rest as it may say meanwhile.

`mcp` reads each message four times over and waits for ever where one is not what it expects.
"""

from typing import Any, cast

import orjson

from graph.errors import Json
from nodes.mcp.failure import CONNECTION_LOST
from nodes.mcp.limits import Limits
from nodes.mcp.transport.asked import Broken, Call
from nodes.mcp.transport.weight import TooHeavy, weigh

#: Where in the `data` of a JSON-RPC error made here the reason stands; see `failed`.
REASON = "graphnexus"
#: Where in the `_meta` of a server's question stands which call it came with.
CALL = "graphnexus/call"
_NOT_JSON_RPC = "The MCP server's answer is not JSON-RPC."
_MESSAGE_CHARS = 2000


def error(call_id: int | str, message: str, status: int | None = None, undone: bool = False) -> bytes:
    """An answer that is made here."""
    reason = {"status": status, "undone": undone}
    said = {"code": CONNECTION_LOST, "message": message, "data": {REASON: reason}}
    return orjson.dumps({"jsonrpc": "2.0", "id": call_id, "error": said})


def failed(data: Any) -> Json:
    """The reason in the `data` of an error made here: `{status, undone}`."""
    reason = cast(Json, data).get(REASON) if isinstance(data, dict) else None
    return cast(Json, reason) if isinstance(reason, dict) else {}


async def passed(text: bytes, call: Call) -> bytes | None:
    """`text` as far as `mcp` may read it. Raises `Broken`."""
    return allowed(await read(text, call.limits), text, call) if is_worth_reading(text, call) else None


def is_worth_reading(text: bytes, call: Call) -> bool:
    """Whether it may be an answer, or something else that there is still room for."""
    return bool(call.notifications_left) or b'"result"' in text or b'"error"' in text


def allowed(message: Json, text: bytes, call: Call) -> bytes | None:
    """`text`, which says `message`, as far as `mcp` may read it. Raises `Broken`."""
    if "method" in message:
        return _noted(message, text, call) if _may_say(message, len(text), call) else None
    if not _is_same(message.get("id"), call.id):
        return None
    call.answered = True
    if isinstance(message.get("error"), dict):
        return _plain_error(call.id, message["error"])
    if not isinstance(message.get("result"), dict) or "error" in message:
        raise Broken(_NOT_JSON_RPC)
    return text


async def read(text: bytes, limits: Limits) -> Json:
    """Raises `Broken` where it is no JSON-RPC, or too heavy."""
    try:
        await weigh(text, limits)
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Broken(_NOT_JSON_RPC) from None
    except TooHeavy:
        many, deep = limits.answer_values, limits.answer_depth
        raise Broken(f"The MCP server's answer has more than {many} values or {deep} levels.") from None
    if not isinstance(message, dict) or cast(Json, message).get("jsonrpc") != "2.0":
        raise Broken(_NOT_JSON_RPC)
    return cast(Json, message)


def _may_say(message: Json, size_bytes: int, call: Call) -> bool:
    """Too many questions break the call, which cannot end without their answers; too many notifications are dropped."""
    if not isinstance(message["method"], str) or size_bytes > call.limits.saying_bytes:
        return False
    if "id" not in message:
        call.notifications_left = max(0, call.notifications_left - 1)
        return True
    call.questions_left -= 1
    if call.questions_left < 0:
        raise Broken(f"The MCP server asked more than {call.limits.questions} questions during one call.")
    return True


def _noted(message: Json, text: bytes, call: Call) -> bytes:
    """A question with the call it came with: values and limits are those of one call."""
    params = message.get("params")
    if "id" not in message or not isinstance(params, dict | None):
        return text
    given = cast(Json, params or {})
    meta = given.get("_meta")
    noted = {**(cast(Json, meta) if isinstance(meta, dict) else {}), CALL: str(call.id)}
    return orjson.dumps({**message, "params": {**given, "_meta": noted}})


def _is_same(id: Any, own: int | str) -> bool:
    return isinstance(id, int | str) and not isinstance(id, bool) and str(id) == str(own)


def _plain_error(id: int | str, said: Json) -> bytes:
    """What `mcp` takes for an error; a server cannot give reasons that are only ours to give."""
    code, data = said.get("code"), said.get("data")
    found: Json = {
        "code": code if isinstance(code, int) else CONNECTION_LOST,
        "message": str(said.get("message") or "The MCP server did not say what failed.")[:_MESSAGE_CHARS],
    }
    if isinstance(data, dict):
        found["data"] = {name: value for name, value in cast(Json, data).items() if name != REASON}
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "error": found})
