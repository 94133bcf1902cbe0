"""What a suite may say. Read from YAML or JSONL by `reading`, which names file and line of what is wrong."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evals.graders import AnyGrader

Json = dict[str, Any]
Id = Annotated[str, Field(pattern=r"^[\w.:/@+ -]{1,200}$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Target(Strict):
    """Who is asked: a server of the Responses API, or a graph in this process."""

    #: Of the API: `http://127.0.0.1:8000/v1`. Default: `OPENAI_BASE_URL`, else that.
    url: str | None = None
    #: `module:graph`: a compiled LangGraph graph with a `messages` channel.
    graph: str | None = None
    model: str | None = None
    #: Name of the variable that holds the key.
    api_key_env: str = "OPENAI_API_KEY"

    @model_validator(mode="after")
    def _one(self) -> "Target":
        if self.url and self.graph:
            raise ValueError("a target is a url or a graph, not both")
        return self


class Judging(Strict):
    """The model of `score_model` and `label_model`."""

    model: str
    url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"


class Upload(Strict):
    """A file of the suite that a case needs on the server; removed when the case is done."""

    #: Relative to the suite's file; or `content` beside the `name` it shall have.
    path: str | None = None
    name: str | None = None
    content: str | None = None
    #: `input`: an `input_file` of the first turn; `image`: an `input_image` of it; `container`: in `/mnt/data` of the
    #: code interpreter; `vector_store`: searched with `file_search`.
    use: Literal["input", "image", "container", "vector_store"] = "input"


class McpServer(Strict):
    """An MCP server that the case offers the model, started for it or running already."""

    label: str
    #: A program that serves streamable HTTP at `/mcp`; `{port}` in it is a free one, `{python}` this very Python.
    command: list[str] | None = None
    url: str | None = None
    #: Name of the variable that holds the token it wants.
    authorization_env: str | None = None
    allowed_tools: list[str] | None = None
    require_approval: Literal["never", "always"] = "never"


class Turn(Strict):
    """One thing the user says. Templates `{{item.x}}` name the case's `item`."""

    #: A text, or input items.
    input: str | list[Json]
    #: Fields of this request, over those of case and suite.
    request: Json = Field(default_factory=dict[str, Any])
    #: The turn it goes on from, counted from 0, instead of the one before: a branch.
    after: int | None = Field(default=None, ge=0)
    #: Graders of this turn alone.
    graders: list[AnyGrader] = Field(default_factory=list[Any])


#: What a client's function answers: always the same, one after another, or by arguments.
Answer = str | list[str] | Json


class Case(Strict):
    id: Id
    #: What templates and graders may name.
    item: Json = Field(default_factory=dict[str, Any])
    #: The only turn's input, instead of `turns`.
    input: str | list[Json] | None = None
    turns: list[Turn] = Field(default_factory=list[Turn])
    #: Fields of every request: instructions, tools, temperature, text, background, stream, …
    request: Json = Field(default_factory=dict[str, Any])
    #: How turns hang together.
    state: Literal["previous_response_id", "conversation", "none"] = "previous_response_id"
    files: list[Upload] = Field(default_factory=list[Upload])
    mcp_servers: list[McpServer] = Field(default_factory=list[McpServer])
    #: What the client's functions answer, by name; so do `shell`, `local_shell`, `apply_patch` and `computer`.
    answers: dict[str, Answer] = Field(default_factory=dict[str, Any])
    #: What is said to requests to approve a call: to all, or by tool's name; `leave` ends the turn there.
    approvals: Literal["approve", "deny", "leave"] | dict[str, Literal["approve", "deny", "leave"]] = "leave"
    #: What the answer must be: a text that must equal the last one, less blanks around; short for a grader.
    expect: str | None = None
    #: A run that was recorded (`GET /responses/{id}/recording`), to be made again instead of asking `turns`.
    recording: Json | None = None
    #: Whether its hosted calls are answered with what was recorded, or made.
    results: Literal["recorded", "live"] = "recorded"
    graders: list[AnyGrader] = Field(default_factory=list[Any])
    #: `all` graders must pass, or the `mean` of their scores must reach `pass_from`.
    passing: Literal["all", "mean"] = "all"
    pass_from: float = Field(default=0.5, ge=0, le=1)
    epochs: int | None = Field(default=None, ge=1)
    timeout_s: float = Field(default=300, gt=0)
    tags: list[str] = Field(default_factory=list[str])

    @model_validator(mode="after")
    def _asks(self) -> "Case":
        if sum((self.input is not None, bool(self.turns), self.recording is not None)) != 1:
            raise ValueError("a case has either an input, turns or a recording")
        if any(turn.after is not None and turn.after >= at for at, turn in enumerate(self.turns)):
            raise ValueError("a turn goes on after one before it")
        if self.state != "previous_response_id" and any(turn.after is not None for turn in self.turns):
            raise ValueError("only turns that hang together by previous_response_id can branch")
        return self

    @property
    def asked(self) -> list[Turn]:
        """Empty where a recording is."""
        return self.turns if self.input is None else [Turn(input=self.input)]


class Thresholds(Strict):
    """What a run must reach, or its exit status is 1."""

    #: Part of the cases that pass, an epoch counted as a part of its case.
    pass_rate: float | None = Field(default=None, ge=0, le=1)
    #: By k: `{1: 0.9, 5: 1}`; at least one of k epochs passes, and all k of them do.
    pass_at: dict[int, float] = Field(default_factory=dict[int, float])
    pass_all: dict[int, float] = Field(default_factory=dict[int, float])
    #: Mean score, by the name of a grader.
    scores: dict[str, float] = Field(default_factory=dict[str, float])
    #: Pass rate, by tag.
    tags: dict[str, float] = Field(default_factory=dict[str, float])
    p95_seconds: float | None = None
    total_tokens: int | None = None


class Defaults(Strict):
    """What every case has unless it says otherwise; graders of a case come behind these."""

    request: Json = Field(default_factory=dict[str, Any])
    graders: list[AnyGrader] = Field(default_factory=list[Any])
    files: list[Upload] = Field(default_factory=list[Upload])
    mcp_servers: list[McpServer] = Field(default_factory=list[McpServer])
    answers: dict[str, Answer] = Field(default_factory=dict[str, Any])


class Suite(Strict):
    name: Id
    description: str = ""
    target: Target = Field(default_factory=Target)
    judge: Judging | None = None
    defaults: Defaults = Field(default_factory=Defaults)
    #: A directory of pages beside the suite, served on this machine while it runs; templates name it as `{{site}}`.
    site: str | None = None
    #: Strings that must show nowhere; `secret_leak` looks for them.
    canaries: list[str] = Field(default_factory=list[str])
    epochs: int = Field(default=1, ge=1)
    #: Cases at once.
    concurrency: int = Field(default=8, ge=1)
    thresholds: Thresholds = Field(default_factory=Thresholds)
    cases: list[Case] = Field(min_length=1)
    #: Where files that cases name are: the directory of the suite's file. Set by `reading`.
    directory: str = "."
