"""Decisions in a run: those its input brings are kept, those made elsewhere are found, and the calls are taken up."""

from collections.abc import Sequence

from graph.approvals import RESPONSE, Answer, Decision, answer_item, decision_of, told, told_made, waiting
from graph.errors import RequestError
from graph.ports import Function
from graph.run import Run
from graph.state import Call, Entry, Item


async def found(run: Run, history: Sequence[Entry], added: Sequence[Entry]) -> list[Entry]:
    """Answers that an input leaves out and that were given elsewhere. Raises `RequestError`."""
    unanswered = waiting(history, added).unanswered
    known = await run.approvals.decided(run.owner, unanswered) if unanswered else dict[str, Decision]()
    new_id = run.emitter.new_id
    return [{"item": answer_item(new_id(RESPONSE), id, known[id])} for id in unanswered if id in known]


async def decide(run: Run, history: Sequence[Entry], added: Sequence[Entry]) -> None:
    """Keep the decisions of an input that can be taken. Raises `RequestError`."""
    said = waiting(history, added)
    ids = [id for id in said.requests if id in said.answers and id not in said.made]
    answers = [Answer(said.requests[id]["item"], decision_of(said.answers[id])) for id in ids]
    for request, decision in await run.approvals.decide(run.owner, answers) if answers else ():
        told(run.owner, request, decision, run.response_id)


def take_up(run: Run, request: Entry, answer: Item) -> Call:
    """The call that was asked for, its item open. Raises `RequestError` when its tool is not offered any more."""
    item = request["item"]
    origin = (item["server_label"], item["name"])
    function = next((function for function in run.functions.values() if function.origin == origin), None)
    if function is None:
        message = f"The tool '{origin[1]}' of '{origin[0]}', whose call was approved, is not among the 'tools'."
        raise RequestError(message, param="tools")
    shown = run.emitter.open({**function.item(), "approval_request_id": item["id"]})
    function.announce(shown, item["arguments"])
    run.shown[shown.id] = shown
    call: Call = {
        "item_id": shown.id, "kind": function.kind, "name": function.name, "arguments": item["arguments"],
        "at": shown.index, "turn": -1, "approval": item["id"],
    }  # fmt: skip
    if values := answer.get("values"):
        call["values"] = shown.values = values
    return call


async def begins(run: Run, call: Call, function: Function) -> None:
    """Tell the audit of a call that is about to be made because it was approved."""
    if (id := call.get("approval")) is not None:
        known = await run.approvals.decided(run.owner, [id])
        told_made(run.owner, call, function.origin, known.get(id, Decision(approve=True)), run.response_id)
