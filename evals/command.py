"""The command `graphnexus eval`: what there is to say, and nothing heavy.

Each command is an app of Typer in a module of its own, imported when it is called. The extra `evals` has what they
need.
"""

import sys
from importlib import import_module
from typing import NamedTuple

import typer

from evals.unfit import Unfit


class Command(NamedTuple):
    module: str
    #: What it is for, in one line.
    line: str


COMMANDS = {
    "run": Command("evals.running.command", "Ask a server or a graph the cases of a suite, and grade what comes."),
    "compare": Command("evals.comparing.command", "Two results beside each other: what became worse, how surely."),
    "view": Command("evals.report.command", "Open a result in the browser."),
    "record": Command("evals.recording.record_command", "Make cases of stored runs, their secrets removed."),
    "replay": Command(
        "evals.recording.replay_command",
        "Make recorded runs again with another model or prompt, and show what differs.",
    ),
    "import": Command("evals.importing.command", "Make a suite of an export of OpenAI Evals or of a promptfoo file."),
    "model": Command("evals.scripted.command", "Serve a scripted model, like those of the shipped suites."),
    "list": Command("evals.suites.command", "List the suites that are shipped."),
}

app = typer.Typer(
    name="graphnexus eval",
    help="Evaluation suites over a Responses API server or a LangGraph graph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_OWN = frozenset({"evals"})
#: Exit status of what could not be run or read.
FAULT = 2


def main(line: list[str] | None = None) -> None:
    """Run `["run", "suite.yaml"]`. What a user did wrong is one line, and exit status 2."""
    try:
        app(line, prog_name="graphnexus eval")
    except Unfit as problem:
        print(f"graphnexus eval: {problem}", file=sys.stderr)
        sys.exit(FAULT)


def _call(context: typer.Context) -> None:
    name = context.info_name or ""
    try:
        command = import_module(COMMANDS[name].module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in _OWN:
            raise
        raise Unfit(
            f"{missing.name} is not installed: it comes with the extra 'evals' (uv sync --extra evals)."
        ) from missing
    command.app([*context.args], prog_name=f"graphnexus eval {name}")


for name, command in COMMANDS.items():
    everything = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(name, help=command.line, add_help_option=False, context_settings=everything)(_call)


if __name__ == "__main__":
    main()
