"""Running code as the model sees it and calls it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from graph.errors import Json, ToolFailed
from graph.ports import Outcome, Shown
from nodes.code_interpreter.result import Result
from nodes.code_interpreter.writing import Writing, say_whole
from nodes.container.containers import Told
from nodes.container.offering import Enter
from nodes.container.telling import Limits
from nodes.sandbox.port import Broken, Output

NAME = "code_interpreter"
_PARAMETERS: Json = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "Python to run. Variables stay from call to call."}},
    "required": ["code"],
}


@dataclass(slots=True)
class CodeFunction:
    """`description` says what the sandbox has."""

    name: str
    description: str
    container_id: str
    enter: Enter
    limits: Limits
    kind: str = "code_interpreter"
    parameters: Json = field(default_factory=lambda: _PARAMETERS)
    origin: tuple[str, str] = (NAME, NAME)
    known_as: str = NAME
    about: str = ""
    wants_approval: bool | None = False
    cautious: bool = False
    repeatable: bool = False
    deferred: bool = False
    #: Whether its container reaches the network: what strangers say there may be in the output.
    untrusted: bool = False

    def item(self) -> Json:
        return {
            "type": "code_interpreter_call",
            "status": "in_progress",
            "code": "",
            "container_id": self.container_id,
            "outputs": None,
        }

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return Writing(shown)

    def announce(self, shown: Shown, arguments: str) -> None:
        say_whole(shown, arguments)

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        shown.phase("interpreting")
        code = arguments.get("code")
        if not isinstance(code, str) or code != shown.said:
            shown.phase("failed")
            raise ToolFailed("`code` must be one string of Python.", {"status": "failed"})
        try:
            result = await self._result(code, shown)
        except (ToolFailed, Broken) as failed:
            shown.phase("failed")
            message = failed.message if isinstance(failed, ToolFailed) else str(failed)
            raise ToolFailed(message, {"status": "failed"}) from failed
        shown.phase("completed")
        return Outcome({"code": code}, result.reply(self.limits), held=result.held(self.limits), made=result.made())

    async def _result(self, code: str, shown: Shown) -> Result:
        async with self.enter() as entered:
            ran = await entered.sandbox.run_code(code, self.limits.timeout_s, _unheard)
            result = Result(ran.outputs, ran.stopped, entered.lost)
            if entered.sandbox.alive:
                result.files += await entered.changed()
                for number, picture in enumerate(result.pictures, 1):
                    result.plots.append(await entered.keep(f"plot_{shown.id[-8:]}_{number}.png", picture))
            result.notes = entered.notes
            return result

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        return {"status": "failed"}


def _unheard(output: Output) -> None:
    """Nothing of what code says is shown before it has ended: the API has no event for it."""


def described(told: Told) -> str:
    """What the model is told of the sandbox."""
    packages, online = ", ".join(told.packages), ", ".join(told.online)
    having = f"These packages are there: {packages}." if packages else "Only the standard library is there."
    network = f"Only these hosts can be reached: {online}." if online else "There is no network."
    return (
        "Run Python in a sandbox, as in a notebook: variables stay, the value of the last expression is shown, and "
        f"matplotlib figures are shown to the user. {having} {network} The user's files are in /mnt/data; what is "
        "saved there can be downloaded. Link such a file as [name](sandbox:/mnt/data/name)."
    )
