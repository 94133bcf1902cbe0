"""Going on with a run in the middle: behind `load`, with a `Run` that has not seen what came before."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import orjson

from graph.errors import Json, RequestError, ToolFailed
from graph.events import OpenItem
from graph.ports import Function, Outcome
from graph.run import Run
from graph.state import Call, Change, Entry, Record, State, append_items

_INTERRUPTED = (
    "The server was interrupted while this call ran. It may have taken effect or not; it was not made again, because "
    "it is not known to be safe to repeat."
)
_MADE_BEFORE = (
    "This call was approved once, and begun by another response, which has not come to its end. It was not made again, "
    "because it is not known to be safe to repeat."
)
_SHELL_OUTPUT = "shell_call_output"


class Task(Protocol):
    """A step that was due, as LangGraph's snapshot has it."""

    @property
    def name(self) -> str: ...
    @property
    def result(self) -> Any: ...


# ---------------------------------------------------------------- before the machine goes on


async def catch_up(run: Run, state: State, tasks: Iterable[Task] = ()) -> None:
    """Open the run's tools and bring its items to where it stopped: what was not said is said, calls are open.

    `tasks` are the steps that were due; of those that came to an end the results are kept for when the machine comes
    to them again. Raises `RequestError` when a call to execute is of a tool that is not there any more.
    """
    state = _with_results(run, state, tasks)
    entries = {entry["item"]["id"]: entry for entry in state["items"][state["response"]["output_at"] :]}
    calls = {call["item_id"]: call for call in calls_of(state) if call["item_id"] not in entries}
    for item in run.emitter.opened:
        if item.id not in calls and item.id not in entries:
            item.abandon()
    run.pending = _unstored(run, {*entries, *calls})
    run.pending += await run.open_tools(append_items(state["items"], run.pending))
    due = [(entry.get("at", 0), entry["item"]["id"]) for entry in entries.values()]
    for _, id in sorted([*due, *((call["at"], id) for id, call in calls.items())]):
        if id in entries:
            _say(run, entries[id])
        else:
            _open(run, calls[id])


def _with_results(run: Run, state: State, tasks: Iterable[Task]) -> State:
    """The state as it would be if the steps that came to an end had been written into it."""
    for task in tasks:
        if task.result is None:
            continue
        change: Change = task.result
        if task.name == "call_model" and _was_said(run, change):
            run.legacy.turn = change
            state = _changed(state, change)
        elif task.name in {call["kind"] for call in calls_of(state)}:
            run.legacy.entries |= {entry["item"]["id"]: entry for entry in change.get("items", ())}
            state = _changed(state, change)
    return state


def _was_said(run: Run, change: Change) -> bool:
    """Whether readers have seen every item of a turn; if not, it is cheaper to ask again than to find the rest."""
    said = {item["id"] for item in run.emitter.done.values()}
    return all(entry["item"]["id"] in said for entry in change.get("items", ()))


def _changed(state: State, change: Change) -> State:
    return {**state, **change, "items": append_items(state["items"], change.get("items", []))}  # pyright: ignore[reportReturnType]  # a change has channels of the state


def _unstored(run: Run, known: set[str]) -> list[Entry]:
    """What readers have seen and the state has not: cut off, but for the list of a server's tools, which stays true."""
    left = [(at, item) for at, item in sorted(run.emitter.done.items()) if item["id"] not in known]
    return [{"item": item, "at": at, **({} if item.get("tools") else {"cut": True})} for at, item in left]  # pyright: ignore[reportReturnType]  # an entry


def _say(run: Run, entry: Entry) -> None:
    """Say what has not been said of an item that is done."""
    item = entry["item"]
    if item["id"] in {done["id"] for done in run.emitter.done.values()}:
        return
    shown = next((opened for opened in run.emitter.opened if opened.id == item["id"]), None)
    call = entry.get("call")
    function = run.functions.get(call["name"]) if call and "reply" in entry else None
    if shown is None:
        going_on = {**item, "status": "in_progress"} if "status" in item else item
        going_on |= {"output": []} if item["type"] == _SHELL_OUTPUT else {}
        shown = run.emitter.open({**function.item(), "id": item["id"]} if function else going_on)
    if call and function:
        function.announce(shown, call["arguments"])
    for index, output in enumerate(item["output"] if item["type"] == _SHELL_OUTPUT else ()):
        shown.event("shell_call_output_content.done", command_index=index, output=[output])
    if "reply" in entry and item.get("status") in ("completed", "failed"):
        shown.phase(item["status"])
    shown.close(**item)


def _open(run: Run, call: Call) -> None:
    if any(item["id"] == call["item_id"] for item in run.emitter.done.values()):
        return
    function = run.functions.get(call["name"])
    if function is None:
        raise RequestError(f"The tool '{call['name']}', which is to be called next, is not offered any more.")
    shown = next((opened for opened in run.emitter.opened if opened.id == call["item_id"]), None)
    upon = {"approval_request_id": call["approval"]} if "approval" in call else {}
    shown = shown or run.emitter.open({**function.item(), "id": call["item_id"], **upon})
    shown.values = call.get("values")
    function.announce(shown, call["arguments"])
    run.shown[shown.id] = shown


# ---------------------------------------------------------------- when the machine comes to a step


def taken_over(run: Run) -> Change | None:
    """The turn of the model that a process made which died before it was written into the state."""
    turn, run.legacy.turn = run.legacy.turn, None
    if turn is None:
        return None
    return {**turn, "items": [*run.take_pending(), *turn.get("items", [])]}


def answered(run: Run, call: Call) -> list[Entry]:
    """What a call made that came to an end before: its entry, and those it brought along."""
    id = call["item_id"]
    if (known := run.legacy.entries.pop(id, None)) is not None:
        return [known, *(entry for entry in run.legacy.entries.values() if entry.get("brought_by") == id)]
    done = next((item for item in run.emitter.done.values() if item["id"] == id), None)
    if done is None:
        return []
    entry: Entry = {
        "item": done,
        "at": call["at"],
        "turn": call["turn"],
        "call": {"name": call["name"], "arguments": call["arguments"]},
        "reply": _reply_of(done),
    }
    if approval := call.get("approval"):
        entry["approval"] = approval
    return [entry]


def _reply_of(item: Json) -> str:
    """What the model is told of a call of which only the item is left."""
    if item.get("outputs", ...) is None:
        return "This call came to its end, but what it said was lost when the server was interrupted."
    if item["type"] == "shell_call":
        return _INTERRUPTED
    output = item.get("output")
    return output if isinstance(output, str) and output else orjson.dumps(item).decode()


async def note(run: Run, call: Call, function: Function, shown: OpenItem, checkpoint_id: str) -> None:
    """Note that a call begins that is not safe to repeat, and that `checkpoint_id` asks for. Raises `ToolFailed` when
    it had begun before."""
    if function.repeatable or run.note_call is None:
        return
    if call["item_id"] in run.legacy.started:
        shown.phase("failed")
        raise ToolFailed(_INTERRUPTED, function.failed(_INTERRUPTED, call["arguments"], interrupted=True))
    await run.note_call(call["item_id"], checkpoint_id)


async def made_elsewhere(run: Run, call: Call, function: Function, shown: OpenItem) -> Outcome | None:
    """What a call came to that was approved once and made by another response; None when it is to be made here.

    Raises `ToolFailed` when that response did not come to its end, unless the call is safe to repeat.
    """
    if "approval" not in call:
        return None
    maker = await run.approvals.use(run.owner, call["approval"], call["item_id"])
    if maker == call["item_id"]:
        return None
    made = await run.find_item(maker)
    if made is not None:
        item, failed = made["item"], made["item"].get("status") == "failed"
        shown.phase("failed" if failed else "completed")
        result = {key: item[key] for key in item if key not in ("id", "type")}
        return Outcome(result, made.get("reply") or _reply_of(item))
    if function.repeatable:
        return None
    shown.phase("failed")
    raise ToolFailed(_MADE_BEFORE, function.failed(_MADE_BEFORE, call["arguments"], interrupted=True))


# ---------------------------------------------------------------- a response of its own


def renewed(run: Run, state: State, request: Json) -> Json:
    """What to change of the state for the run to be a response of its own."""
    before = state["response"]
    record: Record = {
        **run.begin(request, before["input_at"], state["items"][before["input_at"] : before["output_at"]]),
        "usage": before["usage"],
        "turns": before["turns"],
        "hosted_calls": before["hosted_calls"],
    }
    return {"request": request, "response": record}


def node_before(next: str, state: State) -> str:
    """The node after which the machine goes on with `next`."""
    calls = calls_of(state)
    if next in {call["kind"] for call in calls}:
        return "call_model" if state["response"]["turns"] else "approved"
    if calls:
        return calls[0]["kind"]
    return "call_model" if state["response"]["turns"] else "load"


def calls_of(state: State) -> Sequence[Call]:
    """Hosted calls of the last turn of the model."""
    return (state.get("outlook") or {}).get("calls", [])
