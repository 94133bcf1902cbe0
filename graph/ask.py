"""What the runner is asked to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from graph.errors import Json
from graph.recording import Replay
from graph.state import Entry


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, validated."""

    owner: str
    request: Json
    input: str | Sequence[Json]
    #: `tools` as the caller sent them, secrets included.
    declared: Sequence[Json] = ()
    previous_response_id: str | None = None
    conversation: str | None = None
    stored: bool = True
    #: Made by whichever process is free; lives on without its caller.
    background: bool = False
    #: Made here, but its events are kept and it lives on without its reader.
    resumable: bool = False
    #: The conversation so far, where the caller's connection keeps it instead of the store.
    history: Sequence[Entry] | None = None
    #: The recorded run that is made again; `history` is what of it is taken as it was.
    replay: Replay | None = None
    #: Goes on by itself, with the decisions made meanwhile: of all who try the first begins it.
    upon_decisions: bool = False
    #: The id the response will have, where it is known before; else one is made.
    response_id: str | None = None

    @property
    def model(self) -> str:
        return self.request["model"]

    @property
    def kept(self) -> bool:
        """Whether a checkpoint is written: a conversation grows even by responses that are not stored themselves."""
        return self.stored or self.background or self.conversation is not None
