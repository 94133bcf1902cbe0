"""The conversation as a model is shown it.

A conversation only grows, so what has been rendered once is kept, as bytes, in the log's `memo`: a thousandth turn
renders its own messages and joins the rest.
Source: CONTRACT of the Responses API, "Building the context".
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from graph.chat import Chat, Style, Unseal
from graph.errors import Json
from graph.state import Entry, Item, ItemLog

#: Types of items by which tools join in the course of a conversation: found by a search, or added by the developer.
_TOOLSETS = ("tool_search_output", "additional_tools")


class _Frozen(NamedTuple):
    """The rendering of the entries from `start` to `upto`: the first `made` chunks, each some comma-joined messages."""

    style: Style
    start: int
    upto: int
    chunks: list[bytes]
    made: int
    #: Items before `upto` that brought tools.
    toolsets: tuple[Item, ...] = ()


def check(log: Sequence[Entry], style: Style, unseal: Unseal) -> None:
    """Raises `RequestError` when a call has no output or an output no call; keeps what it rendered."""
    _rendered(log, style, unseal)


def messages_of(log: Sequence[Entry], style: Style, unseal: Unseal) -> list[Any]:
    """The chat messages of a conversation, oldest first; several may stand in one `orjson.Fragment`.

    Raises `RequestError` when a call has no output or an output no call.
    """
    frozen, live = _rendered(log, style, unseal)
    return [orjson.Fragment(b",".join(frozen.chunks[: frozen.made])), *live] if frozen.made else live


def toolsets_of(log: Sequence[Entry]) -> list[Item]:
    """The items of a conversation by which tools joined it, oldest first."""
    memo = log.memo if isinstance(log, ItemLog) else None
    if isinstance(memo, _Frozen) and memo.upto <= len(log):
        return [*memo.toolsets, *_toolsets(log[memo.upto :])]
    return _toolsets(log)


def _rendered(log: Sequence[Entry], style: Style, unseal: Unseal) -> tuple[_Frozen, list[Json]]:
    """What stays as it is, and the messages after it, which a later turn may show differently."""
    frozen = _frozen_of(log, style)
    start = _compacted_at(log, frozen, unseal)
    if start != frozen.start:
        frozen = _Frozen(style, start, start, [], 0, tuple(_toolsets(log[:start])))
    last_user = _last_user(log, frozen.upto)
    older = style if style.thoughts == "all_turns" else style._replace(thoughts="none")
    chat = Chat(older, unseal)
    chat.take(log[frozen.upto : last_user])
    if last_user > frozen.upto and not chat.awaiting:
        toolsets = _toolsets(log[frozen.upto : last_user])
        frozen = _freeze(frozen, last_user, chat.finish(), toolsets)
        if isinstance(log, ItemLog):
            log.memo = frozen
        chat = Chat(style, unseal)
    chat.style = style
    chat.take(log[last_user:])
    return frozen, chat.finish()


def remember(longer: Sequence[Entry], log: Sequence[Entry]) -> None:
    """Let `log` know what was rendered of a log that goes on from it, as far as it is of both."""
    memo = longer.memo if isinstance(longer, ItemLog) else None
    if isinstance(memo, _Frozen) and isinstance(log, ItemLog) and memo.upto <= len(log):
        log.memo = memo


def _frozen_of(log: Sequence[Entry], style: Style) -> _Frozen:
    memo = log.memo if isinstance(log, ItemLog) else None
    if isinstance(memo, _Frozen) and memo.style == style and memo.upto <= len(log):
        return memo
    return _Frozen(style, 0, 0, [], 0)


def _freeze(frozen: _Frozen, upto: int, messages: list[Json], toolsets: list[Item]) -> _Frozen:
    """Chunks are shared by all logs of a lineage; a fork that is not the first to add goes on with its own."""
    chunks = frozen.chunks if len(frozen.chunks) == frozen.made else frozen.chunks[: frozen.made]
    if messages:
        chunks.append(orjson.dumps(messages)[1:-1])
    known = (*frozen.toolsets, *toolsets)
    return frozen._replace(upto=upto, chunks=chunks, made=len(chunks), toolsets=known)


def _toolsets(entries: Sequence[Entry]) -> list[Item]:
    return [entry["item"] for entry in entries if entry["item"]["type"] in _TOOLSETS]


def _last_user(log: Sequence[Entry], since: int) -> int:
    """Where the last user message begins; `since` if there is none after it."""
    for index in range(len(log) - 1, since, -1):
        item = log[index]["item"]
        if item["type"] == "message" and item["role"] == "user":
            return index
    return since


def _compacted_at(log: Sequence[Entry], frozen: _Frozen, unseal: Unseal) -> int:
    """Where the part of the log begins that the model still reads: at the newest compaction, if there is one.

    A compaction of the caller's own stands behind the user messages it left as they were (`users` of them).
    """
    for index in range(len(log) - 1, frozen.upto - 1, -1):
        item = log[index]["item"]
        if item["type"] == "compaction" and not log[index].get("cut"):
            return max(0, index - (unseal(item["encrypted_content"]) or {}).get("users", 0))
    return frozen.start


def without_oldest(log: Sequence[Entry]) -> Sequence[Entry]:
    """The log from its second user message on; empty if there is none: the newest message is never dropped."""
    users = [i for i, e in enumerate(log) if e["item"]["type"] == "message" and e["item"]["role"] == "user"]
    later = [index for index in users if index > 0]
    return list(log[later[max(0, len(later) // 4 - 1)] :]) if later else []
