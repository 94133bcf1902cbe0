"""What one MCP server may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    #: To open a session and list all tools.
    connect_timeout_s: float = 15
    #: For one call, renewing a session included; it begins anew with each sign of progress, ten times over at most.
    call_timeout_s: float = 120
    #: How old a list of tools may be that is used again; 0: every response asks anew.
    list_ttl_s: float = 60
    #: Of one call: how often its server may ask the model, the tokens of all answers, the characters of a question.
    samples: int = 10
    sample_tokens: int = 8192
    sample_chars: int = 100_000
    #: A session that nobody used for so long is closed.
    idle_s: float = 300
    #: Sessions kept open; above it the one that was idle longest goes.
    sessions: int = 256
    #: One HTTP answer of a server; more is cut off and the call fails.
    answer_bytes: int = 16_000_000
    #: Values in one answer, counted by commas and brackets, and how deep they may stand in one another.
    answer_values: int = 500_000
    answer_depth: int = 100
    #: Pieces (HTTP chunks) of one answer: reading a piece costs as much as reading a kilobyte.
    answer_pieces: int = 50_000
    #: Lines of one answer; an empty line costs as much as a hundred characters.
    answer_lines: int = 500_000
    #: The answer to `initialize`.
    greeting_bytes: int = 1_000_000
    #: Notifications that are read during one call; more are dropped.
    notifications: int = 2000
    #: Requests of the server's own during one call (elicitation, sampling, ping); with more the call fails.
    questions: int = 50
    #: One notification, or request of the server's own; larger ones are dropped.
    saying_bytes: int = 1_000_000
    #: Times that one answer, cut off, is taken up again.
    resumptions: int = 20
    #: Tools taken of one server.
    tools: int = 1000
    #: All tools of one server together, as they are shown.
    listing_bytes: int = 2_000_000
    #: Of a tool.
    name_chars: int = 200
    description_chars: int = 8_000
    schema_bytes: int = 256_000
    schema_depth: int = 64
    #: Of a tool's schema: its parts once every reference is followed.
    schema_nodes: int = 10_000
    #: Parts of a result that are looked at.
    result_parts: int = 1000
    #: Of a result: what the item shows.
    output_chars: int = 1_000_000
    #: Of a result: what the model reads as text.
    reply_chars: int = 100_000
    #: Of a result: what the model gets as images, counted in base64.
    image_chars: int = 8_000_000
