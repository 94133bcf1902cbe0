"""What came of one case, once: everything graders may look at, and reports show. Plain JSON, without secrets."""

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]


class Usage(BaseModel):
    """Tokens, as the server counted them."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output

    @classmethod
    def told(cls, usage: Json | None) -> Self:
        """As a response says it."""
        said = usage or {}
        read, written = said.get("input_tokens_details") or {}, said.get("output_tokens_details") or {}
        return cls(
            input=said.get("input_tokens") or 0,
            cached=read.get("cached_tokens") or 0,
            output=said.get("output_tokens") or 0,
            reasoning=written.get("reasoning_tokens") or 0,
        )

    @classmethod
    def sum(cls, usages: Iterable[Self]) -> Self:
        every = list(usages)
        return cls(**{name: sum(getattr(one, name) for one in every) for name in cls.model_fields})


class Made(BaseModel):
    """One turn: what the user said, and all that followed until the model had nothing left to ask for."""

    model_config = ConfigDict(extra="forbid")

    #: Input items as they were sent, the answers to client's calls and approvals of this turn among them.
    input: list[Json] = Field(default_factory=list[Json])
    #: Every response of the turn, the last one last: several where clients' tools or approvals were answered. Output
    #: items are in them. Of a graph in this process: one, in the same shape.
    responses: list[Json] = Field(default_factory=list[Json])
    #: Types of the events of streamed responses, in order; empty where nothing was streamed.
    events: list[str] = Field(default_factory=list[str])
    #: How many of them did not bear the number behind that of the event before.
    misnumbered: int = 0
    #: Seconds from the question to the end, and to the first text; None where no text was streamed.
    seconds: float = 0
    first_text_s: float | None = None
    #: `{status, message, type, param, code}` where the server refused; the case may want that.
    error: Json | None = None

    @property
    def items(self) -> list[Json]:
        """Output items of all its responses, in order."""
        return [item for response in self.responses for item in response.get("output") or ()]

    @property
    def text(self) -> str:
        """What the last message says."""
        said = [item for item in self.items if item.get("type") == "message"]
        parts = said[-1].get("content") or () if said else ()
        return "".join(part.get("text") or part.get("refusal") or "" for part in parts)


def used(turns: Iterable[Made]) -> Usage:
    """What their responses cost, together."""
    return Usage.sum(Usage.told(response.get("usage")) for made in turns for response in made.responses)


class Transcript(BaseModel):
    model_config = ConfigDict(extra="forbid")

    case: str
    epoch: int = 1
    turns: list[Made] = Field(default_factory=list[Made])
    #: Names of the graph's nodes in the order they ran, of all turns; None where the target does not tell.
    path: list[str] | None = None
    #: What the checkpoint of the last turn holds: `GET /responses/{id}/recording`, or a graph's own state.
    state: Json | None = None
    usage: Usage = Field(default_factory=Usage)
    #: Answers of the model that had to be repaired or asked for again; None where the target does not tell.
    repairs: int | None = None
    #: Why the case could not be run to its end: a fault of target or harness, never a verdict.
    fault: str | None = None

    @property
    def items(self) -> list[Json]:
        return [item for turn in self.turns for item in turn.items]

    @property
    def text(self) -> str:
        """What was said last."""
        return self.turns[-1].text if self.turns else ""

    @property
    def seconds(self) -> float:
        return sum(turn.seconds for turn in self.turns)
