"""What the machine needs of the world. Adapters fit these by shape; `server/app.py` hands them in."""

from collections.abc import Awaitable, Callable, Collection, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graph.consulting import Said
from graph.errors import Json
from graph.state import Entry


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a model, in the words of Chat Completions."""

    model: str
    #: Chat messages; a value may be an `orjson.Fragment` that holds several, comma-joined.
    messages: Sequence[Any]
    #: Chat `tools`: `{"type": "function", "function": {name, description, parameters, strict?}}`.
    tools: Sequence[Json] = ()
    #: Further body fields (temperature, tool_choice, response_format …); none is null.
    options: Json = field(default_factory=dict[str, Any])


class Sink(Protocol):
    """Takes a model's answer while it is being made."""

    def accepted(self) -> None:
        """The model server took the request: a 2xx status line has arrived. From here on failures are events."""
        ...

    def feed(self, chunk: Json) -> None:
        """One `chat.completion.chunk`, as parsed from the wire and already repaired. Synchronous and cheap."""
        ...


@dataclass(frozen=True, slots=True)
class Profile:
    """What a model server is known to be able to do."""

    json_schema: bool = True
    tools: bool = True
    developer_role: bool = False
    context_tokens: int | None = None


class Model(Protocol):
    async def answer(self, prompt: Prompt, sink: Sink) -> None:
        """Ask, and feed the answer to `sink` until it has ended.

        Retries only before the first byte. Raises `UpstreamError` (status and `retry_after_s` as the server said)
        and `RequestError` (the server called the request wrong, e.g. `context_length_exceeded`).
        """
        ...

    async def profile(self, *, json_schema: bool = False) -> Profile:
        """What this model can do. With `json_schema` the server is asked once whether it enforces that; without,
        an unknown answer is False."""
        ...

    async def count_tokens(self, prompt: Prompt) -> int:
        """Input tokens of `prompt` by the model server's own count."""
        ...


class Models(Protocol):
    async def find(self, name: str) -> Model:
        """Raises `RequestError` with code `model_not_found`, param `model`."""
        ...

    async def listed(self) -> list[Json]:
        """`{id, object: "model", created, owned_by}` of every model that can be asked for."""
        ...


class Shown(Protocol):
    """The item of a hosted call, seen from the tool: the tool says what happens, the emitter makes events of it."""

    @property
    def id(self) -> str: ...

    @property
    def item(self) -> Json:
        """As it stands."""
        ...

    @property
    def begun(self) -> bool:
        """Whether anything was said of it since it was added."""
        ...

    @property
    def said(self) -> str:
        """What was said of its code, in deltas."""
        ...

    @property
    def announced(self) -> bool:
        """Whether its arguments or code were said to their end."""
        ...

    @property
    def approved(self) -> bool:
        """Whether the call is made because somebody has approved it."""
        ...

    @property
    def values(self) -> Json | None:
        """What its server may be told should it ask for values: an approval brought them along."""
        ...

    def phase(self, name: str) -> None:
        """`response.<item type>.<name>`, e.g. `searching`; also the item's status where the type has it."""
        ...

    def event(self, stem: str, **fields: Any) -> None:
        """`response.<stem>` with `item_id` and `output_index` filled in, e.g. `mcp_call_arguments.delta`."""
        ...

    def follow(self, item: Json, **fields: Any) -> "OpenedItem":
        """End the call's item with `fields` merged in, and open another behind it, of which the model is told nothing.

        What the call's outcome has to show then is not shown any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """`shown` is merged into the item, `reply` is what the model reads: text, or chat content parts."""

    shown: Json
    reply: str | list[Json]
    #: Fields of the item that are null unless the caller asks for them with `include: <item type>.<field>`; one within
    #: another (`action.sources`) is not there then.
    held: Json = field(default_factory=dict[str, Any])
    #: Files it made, for the text that follows to cite: `{container_id, file_id, filename, path}`.
    made: Sequence[Json] = ()
    #: What `reply` tells under marks, for the text that follows to cite: `{mark: "3", note}` with an annotation that
    #: has no place yet: `{type: "file_citation", file_id, filename}`, `{type: "url_citation", url, title}`.
    sources: Sequence[Json] = ()


def unheard(piece: str) -> None:
    """Of a function that shows nothing of its arguments before they are whole."""


class Function(Protocol):
    """One thing a hosted tool lets the model call."""

    #: The hosted tool's kind: the name of the graph node that executes the call.
    kind: str
    #: As the model sees it; unique in one run.
    name: str
    description: str
    parameters: Json
    #: `server_label` and `name` as an approval request says them; a tool without servers says its kind.
    origin: tuple[str, str]
    #: What the operator's rules call its server: his own label for it if he has configured it, else as in `origin`.
    known_as: str
    #: What is said of where it comes from; may be empty.
    about: str
    #: Whether the caller wants to be asked before it is called; None where he does not say.
    wants_approval: bool | None
    #: Whether somebody is asked where neither caller nor operator says.
    cautious: bool
    #: Whether a call may be made again when nobody knows whether the one before came to an end.
    repeatable: bool
    #: Whether the model is not offered it before a search for tools has found it.
    deferred: bool
    #: Whether strangers speak in its replies: the web, servers that a caller names.
    untrusted: bool

    def item(self) -> Json:
        """The call's item with its zero values (`arguments: ""` …), without `id`."""
        ...

    def writing(self, shown: Shown) -> Callable[[str], None]:
        """Takes each piece of the arguments, and may say events of it; not asked for if the call may need a yes."""
        ...

    def announce(self, shown: Shown, arguments: str) -> None:
        """Say what is left of the events that come before execution, `in_progress` first; `arguments` is what the
        model wrote. Some or all of them may have been said: while it was written, or by a process that died.
        """
        ...

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        """Execute. Raises `ToolFailed`. Cancelling it must stop the work."""
        ...

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        """What the item of a call shows that was not executed: its arguments are no JSON object, or (`interrupted`)
        nobody knows how far it came when the process that made it died."""
        ...


@dataclass(frozen=True, slots=True)
class Deferred:
    """A tool the model is not offered before a search has found it."""

    #: As the model will call it.
    name: str
    description: str
    parameters: Json
    #: The namespace or server it is of, and what is said of that; both may be empty.
    group: str
    about: str
    #: Its declaration, alone in its namespace or server, as `tool_search_output` shows it.
    tool: Json


#: Chat messages and options in, what the model says out.
Consult = Callable[[Sequence[Json], Json], Awaitable[Said]]


class Opening(Protocol):
    """What a hosted tool is given while a run opens: a way to show items of its own, and what is known."""

    @property
    def entries(self) -> Sequence[Entry]:
        """Entries of the conversation so far, oldest first; never changed."""
        ...

    @property
    def owner(self) -> str:
        """Whose run it is; what is kept open between runs is shared by no two owners."""
        ...

    @property
    def stored(self) -> bool:
        """Whether anything may be written down of what the run does."""
        ...

    @property
    def taken(self) -> Collection[str]:
        """What the model calls the other tools of this run, the caller's own among them."""
        ...

    @property
    def deferred(self) -> Sequence[Deferred]:
        """Tools that wait to be found: the caller's, and those of hosted tools opened before."""
        ...

    @property
    def consult(self) -> Consult:
        """Asks the run's model on the side, also while functions run. What it costs counts into the response's usage.

        Raises `UpstreamError` and `RequestError`.
        """
        ...

    @property
    def chosen(self) -> MutableMapping[str, str]:
        """What hosted tools of this run have chosen that others of them take, too: the `container`."""
        ...

    @property
    def marks(self) -> Iterator[int]:
        """Numbers for what functions find, none of them used before in the conversation. See `graph.marks`."""
        ...

    def param(self, tool: Json) -> str:
        """Where in the request one of the tools given to `open` stands: `tools[0]`; `input` if that wants it."""
        ...

    def show(self, item: Json) -> "OpenedItem":
        """Open an item of the tool's own (`mcp_list_tools`); it gets its id here."""
        ...


class OpenedItem(Shown, Protocol):
    def close(self, **fields: Any) -> object:
        """Merge `fields`, say `output_item.done`."""
        ...


class HostedTool(Protocol):
    """A kind of tool that runs here. One object a process; built once, closed with the app."""

    #: Name of the graph node and stem of the item type: `mcp`, `web_search`.
    kind: str
    #: The tool types of a request it serves.
    types: Sequence[str]

    def check(self, tool: Json, param: str) -> Json:
        """The declaration as `response.tools` echoes it: defaults filled, secrets gone. Raises `RequestError`."""
        ...

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        """Ready the declared tools (as the caller sent them, secrets included) for one run.

        Raises `ConnectorFailed` when a server needed cannot be reached, after closing what it showed.
        """
        ...

    async def close(self) -> None:
        """Free what is held open; called once, when the server stops."""
        ...
