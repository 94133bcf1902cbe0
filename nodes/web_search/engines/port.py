"""What a search engine is asked, and what it says."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from nodes.web_search.domains import Domains
from nodes.web_search.engines.places import Place

#: Names of domains that a query can hold; of more, what was found is sifted afterwards.
_SITES = 8


class Hit(NamedTuple):
    url: str
    title: str
    #: What the engine shows of the page.
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    query: str
    #: Hits that are wanted.
    limit: int
    domains: Domains = field(default_factory=Domains)
    place: Place = field(default_factory=Place)

    @property
    def worded(self) -> str:
        """For engines that take the domains in the query."""
        allowed = " OR ".join(f"site:{name}" for name in self.domains.allowed[:_SITES])
        one_of = f"({allowed})" if " OR " in allowed else allowed
        if len(self.domains.allowed) > _SITES:
            one_of = ""
        blocked = (f"-site:{name}" for name in self.domains.blocked[:_SITES])
        return " ".join(part for part in (self.query, one_of, *blocked) if part)


class EngineFailed(Exception):
    """It gave no answer. `reason` goes on behind its name: "answered with HTTP status 429."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Engine(Protocol):
    name: str

    async def search(self, asked: Asked) -> list[Hit]:
        """Best first; an empty list is an answer. Raises `EngineFailed`."""
        ...
