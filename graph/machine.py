"""load → call model → route tool → execute → loop → persist."""

from collections.abc import Sequence

from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.runtime import Runtime
from langgraph.types import Send

from graph import deciding
from graph.approvals import Waiting, requests_in, waiting
from graph.carried import sealed
from graph.client_tools import REPLAY
from graph.compaction import compact_if_due
from graph.errors import Json, ToolFailed, UpstreamError, unknown_parent
from graph.events import OpenItem
from graph.ids import now
from graph.including import included
from graph.input import entries_of
from graph.offers import parsed
from graph.ports import Function, Outcome
from graph.recording import described
from graph.resume import answered, made_elsewhere, note, taken_over
from graph.run import Run
from graph.shape import Shape, unfenced
from graph.snapshot import add_usage, snapshot, usage_of
from graph.state import Call, Change, Entry, InputState, Item, Outlook, Record, State, append_items
from graph.transcript import remember
from graph.turn import CUT, Answer, Rejected, Turn
from graph.untrusted import marked

#: How often in a row a model may be told that its answer was of no use.
REPAIRS = 3

Machine = StateGraph[State, Run, InputState, State]


def build(kinds: Sequence[str]) -> Machine:
    """The state machine with one node for each kind of hosted tool; compile it with a checkpointer or without."""
    graph = StateGraph(State, context_schema=Run, input_schema=InputState, output_schema=State)
    graph.add_node("load", load)
    graph.add_node("approved", approved)
    graph.add_node("call_model", call_model)
    for kind in kinds:
        graph.add_node(kind, execute, input_schema=Call)
        graph.add_conditional_edges(kind, after_tool, {"reply": "call_model", "client's turn": "persist"})
    graph.add_node("persist", persist)
    graph.add_edge(START, "load")
    graph.add_conditional_edges("load", after_load, {"approval": "approved", "ask": "call_model"})
    paths = {f"call {kind}": kind for kind in kinds}
    graph.add_conditional_edges("approved", after_approval, {**paths, "ask": "call_model"})
    graph.add_conditional_edges("call_model", route_tool, {**paths, "repair": "call_model", "answer": "persist"})
    graph.add_edge("persist", END)
    return graph


# ---------------------------------------------------------------- load


async def load(state: State, runtime: Runtime[Run]) -> Change:
    """Take the input into the conversation, say that the response has begun, open its tools.

    A second run repeats `created` only if no event had left.
    """
    run = runtime.context
    history, request = state.get("items") or [], state.get("request") or {}
    added = await taken(run, history, state.get("input") or [])
    record = run.begin(request, len(history), added)
    beginning = snapshot(record, request, [])
    run.emitter.lifecycle("created", beginning)
    run.emitter.lifecycle("in_progress", beginning)
    shown = await run.open_tools(append_items(history, added))
    change: Change = {"items": [*added, *shown], "request": request, "response": record, "outlook": {}}
    if run.functions or state.get("offered"):
        change["offered"] = [described(function) for function in run.functions.values()]
    return change


async def taken(run: Run, history: list[Entry], given: str | Sequence[Json]) -> list[Entry]:
    """The entries an input adds. Raises `RequestError` when they cannot follow `history`, or it has gone meanwhile."""
    if run.expected_items not in (None, len(history)):
        raise unknown_parent(run.previous_response_id)
    added = await entries_of(given, run)
    added += await deciding.found(run, history, added)
    conversation = append_items(history, added)
    run.check(conversation)
    await deciding.decide(run, history, added)
    remember(conversation, history)
    return added


async def after_load(state: State) -> str:
    return "approval" if _waiting(state).due else "ask"


def _waiting(state: State) -> Waiting:
    begins = state["response"]["input_at"]
    return waiting(state["items"][:begins], state["items"][begins:])


async def approved(state: State, runtime: Runtime[Run]) -> Change:
    """Take up the calls that the input approves, before the model is asked. Raises `RequestError`."""
    run, record = runtime.context, state["response"]
    found = _waiting(state)
    calls = [deciding.take_up(run, found.requests[id], found.answers[id]) for id in found.due]
    counted: Record = {**record, "hosted_calls": len(calls)}
    return {"items": run.take_pending(), "response": counted, "outlook": {"calls": calls}}


async def after_approval(state: State) -> list[Send] | str:
    return _sends(state["outlook"]) or "ask"


# ---------------------------------------------------------------- call model


async def call_model(state: State, runtime: Runtime[Run]) -> Change:
    """One turn of the model, shown as it comes. A second run asks again."""
    run = runtime.context
    if (made := taken_over(run)) is not None:
        return made
    shown = [*run.take_pending(), *await compact_if_due(state, run)]
    if shown:
        state = {**state, "items": append_items(state["items"], shown)}
    record, request = run.with_spent(state["response"]), state["request"]
    state = {**state, "response": record}
    shape = Shape.of(request)
    turn = run.turn(state)
    turn.holds_text = shape is not None and not run.profile.json_schema
    if (ending := run.ending(record, request)) is not None:
        return {"items": shown, "response": counted(record, Answer()), "outlook": ending}
    await run.ask(state, shape, turn)
    answer = turn.end()
    run.keep_open(answer)
    outlook = outlook_of(answer, shape, turn, state.get("outlook") or {})
    return {"items": [*shown, *answer.entries], "response": counted(record, answer), "outlook": outlook}


def outlook_of(answer: Answer, shape: Shape | None, turn: Turn, before: Outlook) -> Outlook:
    """What is left to do after a turn."""
    outlook: Outlook = {"calls": answer.calls, "asked_client": answer.asked_client}
    if answer.finish in CUT:
        return {"incomplete": CUT[answer.finish]}
    repair = [message for rejected in answer.rejected for message in _about(rejected)]
    if shape and not answer.calls and not answer.asked_client and not answer.refused and not repair:
        repair = _misshapen(answer, shape, turn, before)
    if repair and not answer.asked_client and before.get("repairs", 0) < REPAIRS:
        outlook["repair"] = repair
        outlook["repairs"] = before.get("repairs", 0) + 1
    return outlook


def _misshapen(answer: Answer, shape: Shape, turn: Turn, before: Outlook) -> list[Json]:
    """Chat messages that say what is wrong with the JSON of an answer; the answer is shown if nothing is."""
    text = unfenced(answer.text) if turn.holds_text else answer.text
    problem = shape.problem(text)
    if problem is None:
        if turn.holds_text:
            turn.say(text)
        return []
    if not turn.holds_text or before.get("repairs"):
        raise UpstreamError(f"The model's answer does not match `text.format`. {problem}")
    return [
        {"role": "assistant", "content": answer.text},
        {
            "role": "user",
            "content": f"That answer cannot be used. {problem} Answer again with the JSON document alone.",
        },
    ]


def _about(rejected: Rejected) -> list[Json]:
    function = {"name": rejected.name or "unknown", "arguments": rejected.arguments or "{}"}
    call = {"id": rejected.call_id, "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": rejected.call_id, "content": rejected.why},
    ]


def counted(record: Record, answer: Answer) -> Record:
    """The record after a turn: usage summed, turns and hosted calls counted."""
    usage = add_usage(record["usage"], usage_of(answer.usage))
    calls = record["hosted_calls"] + len(answer.calls)
    return {**record, "usage": usage, "turns": record["turns"] + 1, "hosted_calls": calls}


# ---------------------------------------------------------------- route tool, execute, loop
# LangGraph gives a plain function to a thread, so the routes are coroutines.


async def route_tool(state: State) -> list[Send] | str:
    """One `Send` for each hosted call; then the model again, or the end."""
    outlook = state["outlook"]
    return _sends(outlook) or ("repair" if outlook.get("repair") else "answer")


def _sends(outlook: Outlook) -> list[Send]:
    return [Send(call["kind"], call) for call in outlook.get("calls", ())]


async def execute(state: Call, runtime: Runtime[Run]) -> Change:
    """Execute one hosted call. A second run executes it again, unless it came to an end or is not safe to repeat."""
    run = runtime.context
    if made := answered(run, state):
        return {"items": marked(made, run.functions.get(state["name"]))}
    function, shown = run.functions[state["name"]], run.shown[state["item_id"]]
    try:
        standing = runtime.execution_info.checkpoint_id if runtime.execution_info else ""
        outcome = await _outcome(run, state, function, shown, standing)
    except ToolFailed as failed:
        outcome = Outcome({"status": "failed", **failed.shown}, failed.message)
    entry: Entry = {
        "item": shown.item,
        "at": state["at"],
        "turn": state["turn"],
        "call": {"name": state["name"], "arguments": state["arguments"]},
        "reply": outcome.reply,
    }
    if outcome.held:
        entry["held"] = outcome.held
    if outcome.made:
        entry["made"] = [*outcome.made]
    if outcome.sources:
        entry["sources"] = [*outcome.sources]
    if approval := state.get("approval"):
        entry["approval"] = approval
    entry["item"] = _ended(run, shown, outcome, sealed(entry, function, run.request, run.seal.close))
    followers = [_brought(follower, shown.id) for follower in shown.followers]
    return {"items": marked([entry, *followers], function)}


def _ended(run: Run, shown: OpenItem, outcome: Outcome, carried: Json | None) -> Item:
    if shown.closed:
        return shown.item
    fields = included(shown.item["type"], outcome.shown, outcome.held, run.include)
    if carried is None:
        return shown.close(**fields)
    shown.follow({"type": "reasoning", "summary": []}, **fields).close(**carried)
    return shown.item


def _brought(follower: OpenItem, call: str) -> Entry:
    item = follower.item if follower.closed else follower.abandon()
    return {"item": item, "at": follower.index, "brought_by": call}


async def _outcome(run: Run, call: Call, function: Function, shown: OpenItem, checkpoint_id: str) -> Outcome:
    """Raises `ToolFailed`."""
    arguments = _arguments(call, function, shown)
    if (made := await made_elsewhere(run, call, function, shown)) is not None:
        return made
    await note(run, call, function, shown, checkpoint_id)
    await deciding.begins(run, call, function)
    return await function.run(arguments, shown)


def _arguments(call: Call, function: Function, shown: OpenItem) -> Json:
    try:
        return parsed(call["arguments"])
    except ToolFailed as failed:
        shown.phase("failed")
        raise ToolFailed(failed.message, function.failed(failed.message, call["arguments"])) from failed


async def after_tool(state: State) -> str:
    """The model hears what its tools said, unless the client has to answer first."""
    return "client's turn" if state["outlook"].get("asked_client") else "reply"


# ---------------------------------------------------------------- persist


async def persist(state: State, runtime: Runtime[Run]) -> Change:
    """Write down how the response ended. The checkpoint of this step is the stored response.

    The runner says so on the wire when it is on disk.
    """
    run, reason = runtime.context, state["outlook"].get("incomplete")
    record = run.with_spent(state["response"])
    await _list(run, state)
    ended: Record = {**record, "status": "incomplete", "incomplete_details": {"reason": reason}} if reason else {
        **record, "status": "completed", "completed_at": now()
    }  # fmt: skip
    return {"items": run.take_pending(), "response": ended, "outlook": {}}


async def _list(run: Run, state: State) -> None:
    """List what a response asks for that can be continued."""
    record, request = state["response"], state["request"]
    made = state["items"][record["output_at"] :]
    asked = requests_in(made)
    if asked and (request.get("store", True) or record["background"]):
        alone = not any(entry["item"]["type"] in REPLAY and "reply" not in entry for entry in made)
        await run.approvals.ask(record["owner"], record["id"], asked, alone=alone)
