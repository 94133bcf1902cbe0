"""What the parts of the browser tell each other."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from graph.errors import Json
from graph.state import Entry

if TYPE_CHECKING:  # it takes a third of a second to import
    from playwright.async_api import Page

#: On the items of steps: the browser they were made in, as the next response of the conversation finds it again.
ID_FIELD = "browser_id"
#: Where a chosen container is named while a run opens; see `graph.ports.Opening.chosen`.
CONTAINER = "container"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an act. Text of pages is fenced by who makes it: see `telling`."""

    #: What the model is told first.
    note: str = ""
    #: Whether it is told then what there is to be seen now.
    looks: bool = True
    #: A JPEG or PNG that it is to see itself.
    picture: bytes | None = None


class Tab(Protocol):
    """What acts work on: the pages of one conversation, the newest in front."""

    @property
    def page(self) -> "Page":
        """The one in front; there is always one."""
        ...

    @property
    def pages(self) -> Sequence["Page"]:
        """All of them, in the order they were opened."""
        ...

    async def open(self) -> None:
        """Another page, in front."""
        ...

    async def front(self, page: "Page") -> None:
        """Bring another to the front."""
        ...

    async def settled(self) -> None:
        """What was set off last has come, or has had its time."""
        ...


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a model can do in a browser."""

    name: str
    description: str
    parameters: Json
    #: Raises `ToolFailed`, and what Playwright raises: that is put into words by who calls it.
    do: Callable[[Tab, Json], Awaitable[Done]]
    #: It changes nothing, neither in the page nor behind it.
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a page has handed over: `path` is on this machine, until the step has ended."""

    filename: str
    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What a step has led to."""

    url: str
    title: str
    #: What the model reads.
    text: str
    #: What the model is to see itself.
    picture: bytes | None = None
    #: What there is to be seen, for the user: a JPEG.
    screenshot: bytes | None = None
    downloads: Sequence[Download] = ()


class Session(Protocol):
    """The browser of a conversation, while it is the caller's turn."""

    @property
    def tab(self) -> Tab: ...

    @property
    def fresh(self) -> bool:
        """It was opened for this turn: what earlier steps had opened is not there."""
        ...

    async def step(self, act: Act, arguments: Json) -> Sight:
        """Do it, within the limits. Raises `ToolFailed`."""
        ...


class Choice(NamedTuple):
    """Which browser a run uses. Ids of other owners lead to browsers of one's own."""

    id: str
    #: Steps were made in it before this run.
    known: bool = False


class Browsers(Protocol):
    """All browsers of this process."""

    async def problem(self) -> str | None:
        """Why there can be none here, and what helps; None when there can."""
        ...

    def choose(self, entries: Sequence[Entry], beside: str | None = None) -> Choice:
        """A conversation's browser: that of its newest step, what another tool of the same response has chosen
        (`beside`), or a new one."""
        ...

    def entered(self, owner: str, choice: Choice) -> AbstractAsyncContextManager[Session]:
        """Wait for one's turn; a browser that is not there (any more) is opened. Raises `ToolFailed`."""
        ...

    async def close(self) -> None: ...


class Keeps(Protocol):
    """Keeps what browsers bring home, for a time."""

    async def screenshot(self, owner: str, content: bytes) -> str | None:
        """The id of the file it has become; None where pictures are not kept, or there is no room."""
        ...

    async def download(self, owner: str, container: str | None, download: Download) -> str:
        """What the model is told of where it is: in `container`, or among the caller's files. Raises `ToolFailed`."""
        ...


def pieces(content: bytes, size: int = 1 << 20) -> AsyncIterator[bytes]:
    """The bytes as files are written."""

    async def each() -> AsyncIterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    return each()
