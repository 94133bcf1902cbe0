"""A long conversation → a summary by the model, sealed into one item that stands for it.

Source: CONTRACT of the Responses API, "Truncation and compaction".
"""

from collections.abc import Sequence
from typing import Any

import orjson

from graph.chat import Style
from graph.consulting import Text
from graph.errors import Json, UpstreamError
from graph.ports import Prompt
from graph.run import Run
from graph.snapshot import usage_of
from graph.state import Entry, State
from graph.transcript import messages_of

_ASK = (
    "Summarise the conversation above for the assistant that will continue it. Keep every fact, decision, name, "
    "number, file path, tool result and open task that may matter; leave out pleasantries. Plain text, no preamble."
)


async def summarise(run: Run, entries: Sequence[Entry], instructions: str | None = None) -> tuple[str, Json]:
    """The model's summary of `entries`, and what it cost."""
    messages: list[Any] = [{"role": "system", "content": instructions}] if instructions else []
    messages += messages_of(entries, Style(run.profile.developer_role, "none"), run.seal.open)
    sink = Text()
    await run.model.answer(Prompt(run.model_name, [*messages, {"role": "user", "content": _ASK}]), sink)
    if not sink.text.strip():
        raise UpstreamError("The model gave no summary of the conversation.")
    return sink.text.strip(), usage_of(sink.usage)


async def compacted(run: Run, entries: Sequence[Entry], instructions: str | None) -> Json:
    """The `response.compaction` of a conversation: user messages as they are, the rest folded into one item."""
    summary, usage = await summarise(run, entries, instructions)
    users = [_as_input(entry["item"]) for entry in entries if _is_user_message(entry)]
    sealed = run.seal.close({"summary": summary, "users": len(users)})
    item = {"id": run.emitter.new_id("compaction"), "type": "compaction", "encrypted_content": sealed}
    return {
        "id": run.response_id,
        "object": "response.compaction",
        "created_at": run.created_at,
        "output": [*users, item],
        "usage": usage,
    }


def _is_user_message(entry: Entry) -> bool:
    return entry["item"]["type"] == "message" and entry["item"]["role"] == "user"


def _as_input(item: Json) -> Json:
    return {**item, "status": "completed"}


async def compact_if_due(state: State, run: Run) -> list[Entry]:
    """The compaction item a conversation over its threshold gets, said on the wire; nothing below it."""
    threshold = _threshold(state["request"])
    log = state["items"]
    if threshold is None or not log or state["outlook"].get("repair") or log[-1]["item"]["type"] == "compaction":
        return []
    if not await _over(threshold, state, run):
        return []
    last_user = max((index for index, entry in enumerate(log) if _is_user_message(entry)), default=len(log))
    if last_user == 0:
        return []
    summary, _ = await summarise(run, log[:last_user])
    sealed = run.seal.close({"summary": summary, "kept": log[last_user:]})
    shown = run.emitter.open({"type": "compaction", "encrypted_content": sealed})
    return [{"item": shown.close(), "at": shown.index}]


def _threshold(request: Json) -> int | None:
    for entry in request.get("context_management") or ():
        if entry["type"] == "compaction":
            return entry.get("compact_threshold")
    return None


async def _over(threshold: int, state: State, run: Run) -> bool:
    """Whether the prompt has reached `threshold` tokens; the model server is asked when it may have."""
    prompt = run.prompt(state, state["items"], None)
    if len(orjson.dumps(prompt.messages)) < threshold:  # no token is shorter than a byte
        return False
    return await run.model.count_tokens(prompt) >= threshold
