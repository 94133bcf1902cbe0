"""Shell commands as the model sees and calls them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import orjson

from graph.errors import Json, ToolFailed
from graph.fixed_tools import SHELL_PARAMETERS
from graph.ids import new_call_id
from graph.offers import parsed
from graph.ports import OpenedItem, Outcome, Shown, unheard
from nodes.container.containers import Entered, Told
from nodes.container.offering import Enter
from nodes.container.telling import Limits, cited, files_told, shortened
from nodes.sandbox.port import Broken, Commanded

NAME = "shell"
#: Of one call.
_COMMANDS = 100
#: Of a number that the model writes.
_MOST = 1 << 31
#: What shells say of a program that was killed.
_KILLED = 137


@dataclass(frozen=True, slots=True)
class Action:
    """What the model wants done."""

    commands: Sequence[str]
    timeout_s: float
    #: Characters of each output that are shown.
    length: int
    #: As the model has written it.
    wanted_length: int | None

    @classmethod
    def of(cls, arguments: Json, limits: Limits) -> "Action":
        """Raises `ToolFailed`."""
        commands: Any = arguments.get("commands")
        if not isinstance(commands, list) or not all(isinstance(one, str) for one in commands):  # pyright: ignore[reportUnknownVariableType]
            raise ToolFailed("`commands` must be a list of strings.")
        if not 0 < len(cast(list[str], commands)) <= _COMMANDS:
            raise ToolFailed(f"`commands` must have 1 to {_COMMANDS} commands.")
        timeout, length = (_positive(arguments, name) for name in ("timeout_ms", "max_output_length"))
        seconds = min(limits.timeout_s, timeout / 1000) if timeout else limits.timeout_s
        return cls(commands, seconds, min(length or limits.logs_chars, limits.logs_chars), length)  # pyright: ignore[reportUnknownArgumentType]


def _positive(arguments: Json, name: str) -> int | None:
    value = arguments.get(name)
    return max(1, int(min(value, _MOST))) if isinstance(value, int | float) and value > 0 else None


@dataclass(slots=True)
class ShellFunction:
    """`description` says what the container has."""

    name: str
    description: str
    container_id: str
    enter: Enter
    limits: Limits
    kind: str = NAME
    parameters: Json = field(default_factory=lambda: SHELL_PARAMETERS)
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
            "type": "shell_call",
            "status": "in_progress",
            "call_id": new_call_id(),
            "action": {"commands": [], "timeout_ms": None, "max_output_length": None},
            "environment": {"type": "container_reference", "container_id": self.container_id},
        }

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return unheard

    def announce(self, shown: Shown, arguments: str) -> None:
        if shown.begun:
            return
        for index, command in enumerate(_commands(arguments)):
            shown.event("shell_call_command.added", command_index=index, command="")
            shown.event("shell_call_command.delta", command_index=index, delta=command)
            shown.event("shell_call_command.done", command_index=index, command=command)

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        done = {"status": "completed", "action": _action(arguments)}
        try:
            action = Action.of(arguments, self.limits)
            async with self.enter() as entered:
                told = _Telling(_opened(shown, action, done), action)
                async for output in self._outputs(entered, action, told):
                    told.end(output)
                files = await entered.changed() if entered.sandbox.alive else ()
                lines = list(files_told(files, entered.notes))
        except ToolFailed as failed:
            raise ToolFailed(failed.message, {**done, "status": "incomplete"}) from failed
        told.close()
        return Outcome({}, told.reply(lines, self.limits.reply_chars), made=[cited(file) for file in files])

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        return {"status": "incomplete", "action": {"commands": _commands(arguments)}}

    async def _outputs(self, entered: Entered, action: Action, told: "_Telling") -> AsyncIterator[Commanded]:
        """Of each command; when the sandbox dies in one, those after it are not run."""
        for index, command in enumerate(action.commands):
            try:
                yield await entered.sandbox.run_command(command, action.timeout_s, partial(told.hear, index))
            except Broken as broken:
                yield Commanded("", str(broken), _KILLED)
                return


class _Telling:
    """Shows what commands say while they run."""

    def __init__(self, shown: OpenedItem, action: Action) -> None:
        self._shown = shown
        self._action = action
        self._room = 0
        self._outputs: list[Json] = []

    def hear(self, index: int, stream: str, text: str) -> None:
        if index == len(self._outputs) and (text := text[: self._action.length - self._room]):
            self._room += len(text)
            self._shown.event("shell_call_output_content.delta", command_index=index, delta={stream: text})

    def end(self, said: Commanded) -> None:
        """A command has ended."""
        length = self._action.length
        ended = said.exit_code is not None
        output: Json = {
            "stdout": shortened(said.stdout, length),
            "stderr": shortened(said.stderr, length),
            "outcome": {"type": "exit", "exit_code": said.exit_code} if ended else {"type": "timeout"},
        }
        self._shown.event("shell_call_output_content.done", command_index=len(self._outputs), output=[output])
        self._outputs.append(output)
        self._room = 0

    def close(self) -> None:
        self._shown.close(output=self._outputs)

    def reply(self, lines: Sequence[str], chars: int) -> str:
        said = orjson.dumps(self._outputs).decode()
        return "\n".join([shortened(said, chars), *lines])


def _opened(shown: Shown, action: Action, done: Json) -> OpenedItem:
    output: Json = {"type": "shell_call_output", "status": "in_progress", "output": []}
    named = {"call_id": shown.item["call_id"], "max_output_length": action.wanted_length}
    return shown.follow({**output, **named}, **done)


def _commands(arguments: str) -> list[str]:
    """Those in what the model wrote, as far as it can be read."""
    try:
        return _texts(parsed(arguments))
    except ToolFailed:
        return []


def _texts(arguments: Json) -> list[str]:
    commands: Any = arguments.get("commands")
    return [one for one in commands if isinstance(one, str)] if isinstance(commands, list) else []  # pyright: ignore[reportUnknownVariableType]


def _action(arguments: Json) -> Json:
    limits = {name: _positive(arguments, name) for name in ("timeout_ms", "max_output_length")}
    return {"commands": _texts(arguments), **limits}


def described(told: Told) -> str:
    """What the model is told of the container."""
    online = ", ".join(told.online)
    network = f"Only these hosts can be reached: {online}." if online else "There is no network."
    lines = [
        "Run shell commands in a sandbox, each in a shell of its own in /mnt/data; files there stay, and the user can "
        f"download them. {network} Link such a file as [name](sandbox:/mnt/data/name)."
    ]
    if told.skills:
        lines += ["Skills: read the SKILL.md of one before you do what it is for.", *told.skills]
    return "\n".join(lines)
