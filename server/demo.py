"""A walk through the API with the official client, against a server started for it."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from openai import BadRequestError, NotFoundError, OpenAI, OpenAIError
from openai.types.responses import FunctionToolParam, Response, ResponseIncludable
from openai.types.responses.tool_param import CodeInterpreter
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape

from server.settings import bare_environment

_MODEL = "demo"
_STOP_TIMEOUT_S = 15

_WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
_PYTHON: CodeInterpreter = {"type": "code_interpreter", "container": {"type": "auto"}}
_OUTPUTS: ResponseIncludable = "code_interpreter_call.outputs"


class City(BaseModel):
    name: str
    country: str


def run() -> None:
    """Start a server, do every step, stop the server. Needs no internet."""
    console = Console(highlight=False)
    console.print(
        "[bold]GraphNexus, from the outside.[/] The server, the store, the graph, the stream and the client are real.\n"
        "The [yellow]model is simulated[/]: `demo` is a small rule machine built into the server, not a language model."
    )
    with tempfile.TemporaryDirectory(prefix="graphnexus-demo-") as scratch, _server(Path(scratch)) as base_url:
        console.print(f"A server for this walk listens on {base_url}; it forgets everything at the end.")
        with OpenAI(base_url=base_url, api_key="any") as client:
            try:
                Walk(client, console).all()
            except OpenAIError as error:
                sys.exit(f"graphnexus: the walk ended early, which is a bug: {error}")


@contextmanager
def _server(scratch: Path) -> Generator[str]:
    """The base URL of a server that knows no model but its own, on a free port; a process of its own."""
    config = scratch / "graphnexus.toml"
    config.write_text("port = 0\ndiscover = false\n")
    command = [sys.executable, "-m", "server", "serve", "--config", str(config), "--data-dir", str(scratch / "data")]
    root = Path(__file__).parent.parent
    environment = bare_environment()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment) as child:  # noqa: S603
        try:
            yield _announced(child)
        finally:
            child.terminate()
            child.wait(_STOP_TIMEOUT_S)


def _announced(child: subprocess.Popen[str]) -> str:
    for line in child.stdout or ():
        if found := re.search(r"listens on (\S+)", line):
            return found[1]
    sys.exit("graphnexus: the server for the demo did not start, see above")


class Walk:
    """The steps, each with the call that a caller would write."""

    def __init__(self, client: OpenAI, console: Console) -> None:
        self._client = client
        self._console = console
        self._number = 0

    def all(self) -> None:
        first = self._streamed()
        second = self._continued(first)
        self._branched(first, second)
        self._called()
        self._structured()
        self._computed()
        self._forgotten(second)
        self._say("\n[bold green]That was it.[/] Now with a model of yours: graphnexus serve --upstream URL")

    def _streamed(self) -> Response:
        self._step("A streamed answer", 'client.responses.create(model="demo", input=..., stream=True)')
        counts: dict[str, int] = {}
        answer = None
        for event in self._client.responses.create(model=_MODEL, input="Hello! Who are you?", stream=True):
            counts[event.type] = counts.get(event.type, 0) + 1
            if event.type == "response.output_text.delta":
                self._console.print(escape(event.delta), end="", style="cyan", soft_wrap=True)
            elif event.type == "response.completed":
                answer = event.response
        self._say()
        self._say("[dim]" + ", ".join(f"{count} × {kind}" for kind, count in counts.items()) + "[/]")
        if answer is None:
            sys.exit("graphnexus: the stream ended without response.completed")
        return answer

    def _continued(self, first: Response) -> Response:
        self._step("The conversation goes on", f'previous_response_id="{first.id[:14]}…", kept on the server')
        return self._ask("My favourite colour is green.", first)

    def _branched(self, first: Response, green: Response) -> None:
        how = "the same previous_response_id once more; branches do not see each other"
        self._step("A second branch from the first answer", how)
        red = self._ask("My favourite colour is red.", first)
        for branch, parent in (("first", green), ("second", red)):
            self._say(f"[dim]in the {branch} branch:[/]")
            self._ask("What is my favourite colour?", parent)

    def _called(self) -> None:
        self._step(
            "A tool of the caller's", "the model asks for get_weather, this program runs it and sends the result back"
        )
        answer = self._client.responses.create(
            model=_MODEL,
            input="What is the weather in Paris?",
            tools=[_WEATHER],
            tool_choice={"type": "function", "name": "get_weather"},
        )
        calls = [item for item in answer.output if item.type == "function_call"]
        for call in calls:
            self._say(f"[magenta]call[/] {call.name}({escape(call.arguments)})")
        result = json.dumps({"sky": "clear", "degrees_c": 21})
        self._say(f"[magenta]result[/] {escape(result)} [dim](made up by this walk)[/]")
        final = self._client.responses.create(
            model=_MODEL,
            previous_response_id=answer.id,
            input=[{"type": "function_call_output", "call_id": call.call_id, "output": result} for call in calls],
            tools=[_WEATHER],
        )
        self._answered(final)

    def _structured(self) -> None:
        self._step("An answer in a given shape", "client.responses.parse(..., text_format=City)")
        question = "The name is Paris, the country is France."
        parsed = self._client.responses.parse(model=_MODEL, input=question, text_format=City)
        self._say(f"[bold]you[/]   {question}")
        self._say(f"[bold]model[/] [cyan]{escape(repr(parsed.output_parsed))}[/]")
        self._say("[dim]the shape was kept; the words are the question's, the demo model knows no cities[/]")

    def _computed(self) -> None:
        self._step(
            "Code that runs on the server", 'tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]'
        )
        question = "Use code_interpreter: `sum(range(101))`"
        try:
            answer = self._client.responses.create(model=_MODEL, input=question, tools=[_PYTHON], include=[_OUTPUTS])
        except BadRequestError as error:
            self._say(f"[dim]not on this machine: {escape(error.message)}[/]")
            return
        self._say(f"[bold]you[/]   {question}")
        for call in answer.output:
            if call.type == "code_interpreter_call":
                said = "".join(output.logs for output in call.outputs or () if output.type == "logs")
                self._say(f"[magenta]code[/]  {escape(call.code or '')} → {escape(said.strip())}")
        self._answered(answer)

    def _forgotten(self, answer: Response) -> None:
        self._step("Retrieve and delete", f'client.responses.retrieve("{answer.id[:14]}…"), then delete')
        kept = self._client.responses.retrieve(answer.id)
        self._say(f"[dim]retrieved: status {kept.status}, the same text: {kept.output_text == answer.output_text}[/]")
        self._client.responses.delete(answer.id)
        try:
            self._client.responses.retrieve(answer.id)
        except NotFoundError as error:
            self._say(f"[dim]after delete: {error.status_code} {escape(error.message)}[/]")

    def _ask(self, question: str, after: Response) -> Response:
        answer = self._client.responses.create(model=_MODEL, input=question, previous_response_id=after.id)
        self._say(f"[bold]you[/]   {question}")
        self._answered(answer)
        return answer

    def _answered(self, answer: Response) -> None:
        self._say(f"[bold]model[/] [cyan]{escape(answer.output_text)}[/]")

    def _step(self, title: str, how: str) -> None:
        self._number += 1
        self._say(f"\n[bold green]{self._number}. {title}[/]  [dim]{escape(how)}[/]")

    def _say(self, line: str = "") -> None:
        self._console.print(line, soft_wrap=True)
