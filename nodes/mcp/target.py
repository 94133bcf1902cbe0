"""Where a server is and what it is shown."""

from dataclasses import dataclass, field
from typing import Literal

from nodes.mcp.oauth.grants import Grant
from nodes.mcp.secret import redacted, secrets_of

Transport = Literal["auto", "http", "sse"]


@dataclass(frozen=True, slots=True)
class Program:
    """A server that is started here and spoken to over its standard input and output."""

    command: str
    args: tuple[str, ...] = ()
    #: What it is told beside where programs are.
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A server, the credentials it is shown, and on whose behalf: what has the same shares a session."""

    url: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    owner: str = ""
    #: `auto`: streamable HTTP, or SSE where a server turns that down as one that only knows SSE does.
    transport: Transport = "auto"
    #: Instead of a URL.
    program: Program | None = None
    #: The operator's tokens for it, if it is entered by OAuth.
    grant: Grant | None = field(default=None, repr=False)
    #: The operator named it: it may be on any address.
    trusted: bool = False

    def redacted(self, text: str) -> str:
        """`text` without the credentials, should the server have repeated them."""
        shown = [*self.headers, *(self.program.environment if self.program else ())]
        tokens = self.grant.shown if self.grant else ()
        return redacted(text, (*secrets_of(shown, self.url), *tokens))
