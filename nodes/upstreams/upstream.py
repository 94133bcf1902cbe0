"""What is known of a model server before anything is asked of it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Chat Completions address. `url` is the API base, e.g. `http://127.0.0.1:11434/v1`."""

    url: str
    key: str | None = None
    #: How it is called in messages and as `owned_by`; the host and port when empty.
    name: str = ""
    #: The models it serves; empty: those of `GET {url}/models`.
    models: tuple[str, ...] = ()
    kind: str = "chat"

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.rstrip("/"))
        if not self.name:
            object.__setattr__(self, "name", urlsplit(self.url).netloc.rpartition("@")[2] or self.url)

    @property
    def loopback(self) -> bool:
        """Whether it runs on this machine, so that no proxy may stand between."""
        return urlsplit(self.url).hostname in _LOOPBACK

    @property
    def openai(self) -> bool:
        """Whether it is OpenAI itself, which knows the role `developer`."""
        return urlsplit(self.url).hostname == "api.openai.com"

    def __repr__(self) -> str:
        return f"Upstream({self.url!r}, name={self.name!r})"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    connect_s: float = 5.0
    #: Without a byte from a server that has taken the request; covers the reading of a long prompt too.
    stall_s: float = 300.0
    #: A model list is believed this long.
    list_ttl_s: float = 60.0
    list_timeout_s: float = 5.0
    #: A server that refused a connection is passed over this long when another has the model.
    broken_s: float = 5.0
