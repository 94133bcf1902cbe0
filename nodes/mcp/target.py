"""Where a server is and what it is shown."""

import re
from dataclasses import dataclass, field
from typing import Literal

_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|signature", re.IGNORECASE)
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

    url: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    owner: str = ""
    #: `auto`: streamable HTTP, or SSE where a server turns that down as one that only knows SSE does.
    transport: Transport = "auto"
    #: Instead of a URL.
    program: Program | None = None
    #: The label of a server whose tokens are kept here.
    login: str = ""
    #: The operator named it: it may be on any address.
    trusted: bool = False

    def redacted(self, text: str) -> str:
        """`text` without the credentials, should the server have repeated them."""
        shown = [*self.headers, *(self.program.environment if self.program else ())]
        for name, value in shown:
            for secret in {value, value.removeprefix("Bearer ")}:
                if len(secret) >= 8 and _SECRET_NAME.search(name):
                    text = text.replace(secret, "[redacted]")
        return text
