"""Going on with a run in the middle: behind `load`, with a `Run` that has not seen what came before."""

from collections.abc import Sequence

from graph.errors import Json, RequestError
from graph.run import Run
from graph.state import Call, Record, State


async def catch_up(run: Run, state: State) -> None:
    """Open the run's tools and bring its items to where it stopped: what was said is said again, calls are open.

    Raises `RequestError` when a call to execute is of a tool that is not there any more.
    """
    done = state["items"][state["response"]["output_at"] :]
    for entry in done:
        run.emitter.open(entry["item"]).close()
    await run.open_tools(state["items"])
    said = {entry["item"]["id"] for entry in done}
    for call in calls_of(state):
        if call["item_id"] not in said:
            _open(run, call)


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
        return "call_model"
    if calls:
        return calls[0]["kind"]
    return "call_model" if state["response"]["turns"] else "load"


def calls_of(state: State) -> Sequence[Call]:
    """Hosted calls of the last turn of the model."""
    return (state.get("outlook") or {}).get("calls", [])


def _open(run: Run, call: Call) -> None:
    function = run.functions.get(call["name"])
    if function is None:
        raise RequestError(f"The tool '{call['name']}', which is to be called next, is not offered any more.")
    shown = run.emitter.open({**function.item(), "id": call["item_id"]})
    function.announce(shown, call["arguments"])
    run.shown[shown.id] = shown
