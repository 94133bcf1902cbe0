"""One cell of the matrix: a response is being made, a fault strikes at a point, and everything must be in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.arena import LEASE_S, Arena
from tests.faults.check import Check
from tests.faults.point import Hold, OutsideHold, Point
from tests.faults.reader import Reader
from tests.faults.replica import Replica

Json = dict[str, Any]
REACHES_S = 10.0
#: What the issue allows a second server for taking over and finishing.
FINISHES_S = 10.0
#: A grace of one second, and ten for an engine that is being started.
STOPS_S = 20.0


@dataclass
class Outcome:
    point: Point
    fault: str
    problems: list[str] = field(default_factory=list[str])
    #: From the fault to the terminal event.
    took_s: float = 0.0
    status: str = ""
    in_conversation: bool = False
    #: What it may take.
    limit_s: float = FINISHES_S

    def __str__(self) -> str:
        if self.problems:
            return "FAILED"
        return f"ok {self.took_s:.1f}" + ("" if self.status == "completed" else f" {self.status}")


@dataclass(frozen=True, slots=True)
class Struck:
    """What a fault does, and to whom."""

    arena: Arena
    victim: Replica
    hold: Hold


def kill(struck: Struck) -> None:
    struck.victim.kill()
    struck.hold.go()
    if len(struck.arena.servers) == 1:
        struck.victim.start()


def pause(struck: Struck) -> None:
    """Longer than the lease. It is let go on while it sleeps: waking up it does at once what it was about to."""
    since = len(struck.arena.control.passed)
    struck.victim.pause()
    if len(struck.arena.servers) == 1:
        time.sleep(2 * LEASE_S)
    else:
        struck.arena.control.wait_for(lambda passed: passed.name == "claim", 4 * LEASE_S, since)
    struck.hold.go()
    struck.victim.wake()


def terminate(struck: Struck) -> None:
    """What is held outside the server stays so for longer than the grace."""
    struck.victim.ask_to_stop()
    if isinstance(struck.hold, OutsideHold):
        left = struck.victim.ended(STOPS_S)
        struck.hold.go()
    else:
        time.sleep(0.3)
        struck.hold.go()
        left = struck.victim.ended(STOPS_S)
    if not left:
        struck.victim.kill()
    assert left, f"still there {STOPS_S} s after SIGTERM"
    assert struck.victim.exit_code == 0, f"SIGTERM: exit status {struck.victim.exit_code}"
    if len(struck.arena.servers) == 1:
        struck.victim.start()


def restart_database(struck: Struck) -> None:
    struck.arena.database.restart()
    struck.hold.go()


def cut(struck: Struck) -> None:
    """The model server hangs up."""
    assert isinstance(struck.hold, OutsideHold)
    struck.hold.stop.cut = True
    struck.hold.go()


def linger(struck: Struck) -> None:
    """Nothing happens, for longer than the lease."""
    time.sleep(2 * LEASE_S)
    struck.hold.go()


FAULTS: dict[str, Callable[[Struck], None]] = {
    "kill -9": kill,
    "SIGSTOP": pause,
    "SIGTERM": terminate,
    "database restart": restart_database,
    "cut": cut,
}


def strikes(fault: str, point: Point, kind: str) -> bool:
    """Whether there is such a cell; a stop that is asked for finds a transaction no earlier than its end."""
    match fault:
        case "cut":
            return point.name.startswith("model")
        case "database restart":
            return kind == "postgresql" and point.when in (None, "within")
        case "SIGTERM":
            return point.when in (None, "after")
        case _:
            return True


def run(arena: Arena, point: Point, fault: str, in_conversation: bool = False, limit_s: float = FINISHES_S) -> Outcome:
    outcome = Outcome(point, fault, in_conversation=in_conversation, limit_s=limit_s)
    try:
        _run(arena, outcome)
    except Exception as error:  # a cell that cannot be run is a failed one
        outcome.problems.append(f"{type(error).__name__}: {error}")
    finally:
        arena.mend()
    return outcome


def _run(arena: Arena, outcome: Outcome) -> None:
    where: Json = {}
    in_conversation = outcome.in_conversation
    if in_conversation:
        where = {"conversation": arena.post("/conversations", {})["id"]}
    before = arena.say(**where)
    if not in_conversation:
        where = {"previous_response_id": before["id"]}
    scene = arena.scene()
    check = Check(arena, scene)
    logs = [server.log_size() for server in arena.servers]
    hold = arena.arm(outcome.point)
    reader = Reader(arena.servers, scene.body(**where)).start()
    try:
        began = _strike(arena, outcome, hold)
        over = reader.over(outcome.limit_s)
    finally:
        reader.stop()
    outcome.took_s = max(0.0, reader.over_at - began)
    check.demand(over, f"no end {outcome.limit_s} s after the fault; {len(reader.frames)} events seen")
    arena.mend()
    terminal = check.stream(reader)
    outcome.problems = check.problems
    outcome.status = terminal.get("status", "")
    if over and terminal:
        allowed = {"completed", "failed"} if outcome.fault == "cut" else {"completed"}
        check.demand(outcome.status in allowed, f"it ended {outcome.status}: {terminal.get('error')}")
        check.nothing_left()
        check.replays(reader)
        check.stored(terminal)
        check.unchanged(before)
        if outcome.status == "completed":
            check.goes_on(terminal, **({"previous_response_id": terminal["id"]} if not in_conversation else where))
    check.tools(reader.asked)
    check.logs(logs)


def _strike(arena: Arena, outcome: Outcome, hold: Hold) -> float:
    """When the fault began, in monotonic seconds."""
    pid = hold.reached(REACHES_S)
    assert pid is not None, "the point was never reached"
    began = time.monotonic()
    {**FAULTS, "nothing": linger}[outcome.fault](Struck(arena, arena.server(pid), hold))
    return began
