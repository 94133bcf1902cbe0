"""What tools need of a sandbox, and what a sandbox of this machine needs of its isolation. Adapters fit by shape."""

from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

#: Where callers' files are, and what code makes to be kept.
FILES = "/mnt/data"


class Secret(NamedTuple):
    """A value that code never sees: code says `name`, and the way out puts the value in its place for `domain`."""

    domain: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Network:
    """What may be reached from inside: these domains and nothing else."""

    allowed_domains: Sequence[str]
    secrets: Sequence[Secret] = ()
    #: Every domain may.
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What one sandbox may use; equal rooms can be exchanged."""

    memory_bytes: int = 1 << 30
    #: Of everything written, in and outside of `FILES`.
    disk_bytes: int = 512 << 20
    processes: int = 128
    network: Network | None = None


class Output(NamedTuple):
    """A piece of what code has said: text, or a picture as a base64 PNG."""

    kind: Literal["logs", "image"]
    value: str


class Made(NamedTuple):
    """A file that was made or changed; `path` is relative to `FILES`."""

    path: str
    size_bytes: int


class Changes(NamedTuple):
    """What became of the files in `FILES` since it was last asked, or since the sandbox was opened."""

    made: Sequence[Made]
    gone: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a piece of code came to. An exception is text in its outputs."""

    #: In their order; neighbouring logs are joined, and cut in the middle when there are too many.
    outputs: Sequence[Output]
    #: Why it did not come to its own end: time, memory, or the sandbox has died and its variables with it.
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Commanded:
    """What a shell command came to."""

    stdout: str
    stderr: str
    #: None when it ran out of time.
    exit_code: int | None


class Broken(Exception):
    """The sandbox has died, or cannot be reached: another has to be opened. Its message is fit for the model's eyes."""


class Sandbox(Protocol):
    """An isolated Python that remembers, and a shell beside it. Calls are made one at a time; all raise `Broken`."""

    @property
    def alive(self) -> bool: ...

    async def run_code(self, code: str, timeout_s: float, listen: Callable[[Output], None]) -> Ran:
        """Run a cell as IPython does: variables stay, the last expression is shown, plots are pictures.

        At the limit it is interrupted, and killed if it does not heed. Cancelling it interrupts it too.
        """
        ...

    async def run_command(self, command: str, timeout_s: float, listen: Callable[[str, str], None]) -> Commanded:
        """Run a command in bash (sh where there is none), in `FILES`; `listen` is told (`stdout` or `stderr`, text)."""
        ...

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a file, `path` relative to `FILES`; it does not count as a change. Raises `ToolFailed` when it does
        not fit."""
        ...

    def get(self, path: str) -> AsyncIterator[bytes]:
        """A regular file's bytes, in chunks of at most 1 MiB. Raises `FileNotFoundError`."""
        ...

    async def remove(self, path: str) -> None: ...

    async def changes(self) -> Changes: ...

    async def save(self) -> bytes | None:
        """The variables that can be kept, for `load` in another sandbox; None when there are none."""
        ...

    async def load(self, saved: bytes) -> None:
        """Bring variables back, as far as that goes. What is in `saved` is only ever read inside a sandbox."""
        ...

    async def close(self) -> None:
        """End it and everything in it, at once."""
        ...


class Sandboxes(Protocol):
    """One way to have sandboxes: `bwrap`, `landlock`, `docker`, `e2b`."""

    name: str

    async def problem(self) -> str | None:
        """Why this way is closed here, with what would open it; None when a sandbox was opened and held."""
        ...

    async def open(self, room: Room) -> Sandbox:
        """Raises `Broken`."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python of sandboxes."""

    executable: str
    #: Directories it needs beside the system's, seen from inside under the same names, read-only.
    needs: Sequence[str]


class Isolation(Protocol):
    """A way of this machine to start a program where it can do no harm."""

    name: str

    async def problem(self) -> str | None:
        """As `Sandboxes.problem`."""
        ...

    async def start(self, program: Sequence[str], needs: Sequence[str], room: Room) -> Process:
        """Start it inside, with pipes as its stdin and stdout; killing the process ends everything in it at once, as
        does the end of this one. Inside `FILES` and `/tmp` can be written. Raises `Broken`.

        `needs`: directories of this machine that are seen inside under the same names, read-only.
        """
        ...
