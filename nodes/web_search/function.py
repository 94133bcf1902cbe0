"""Searching and reading the web as the model sees it and calls it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from graph.errors import Json
from graph.ports import Function, Outcome, Shown, unheard
from nodes.web_search.web import Web

KIND = "web_search"
_CITE = (
    "In your answer put the mark of what a statement relies on right behind the statement, as it is shown: "
    "The bridge was opened in 1932【3】."
)
_URL: Json = {"type": "string", "description": "Of the page, as a search or a page has given it."}


@dataclass(slots=True)
class WebFunction:
    name: str
    description: str
    parameters: Json
    act: Callable[[Json, Shown], Awaitable[Outcome]]
    #: What the item of a call shows that was not executed.
    nothing: Json
    kind: str = KIND
    origin: tuple[str, str] = (KIND, KIND)
    known_as: str = KIND
    about: str = ""
    wants_approval: bool | None = False
    cautious: bool = False
    repeatable: bool = True
    deferred: bool = False
    untrusted: bool = True

    def item(self) -> Json:
        return {"type": "web_search_call", "status": "in_progress"}

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return unheard

    def announce(self, shown: Shown, arguments: str) -> None:
        if not shown.begun:
            shown.phase("in_progress")

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        return await self.act(arguments, shown)

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        return {"status": "failed", "action": self.nothing}


def functions(web: Web, named: Callable[[str], str]) -> Sequence[Function]:
    """`named`: a name nobody else has, much like the given one."""
    search, opened, found = named(KIND), named("open_page"), named("find_in_page")
    near = f" The user is near here: {web.place.told}." if web.place.told else ""
    return [
        WebFunction(
            search,
            "Search the web. Give one or several queries, as one would type them into a search engine. Results come "
            f"back under marks such as 【3】; read the pages with {opened} when their text is not enough.{near} "
            f"{_CITE}",
            _object(queries={"type": "array", "items": {"type": "string"}, "description": "At most 5."}),
            web.search,
            {"type": "search", "query": "", "queries": []},
        ),
        WebFunction(
            opened,
            f"Read a page of the web, or a PDF, in numbered lines, from a line on. {_CITE}",
            _object("line", url=_URL, line={"type": "integer", "description": "The first line to read."}),
            web.open,
            {"type": "open_page", "url": ""},
        ),
        WebFunction(
            found,
            f"Find a text in a page of the web: the lines that have it, upper and lower case alike, and their "
            f"neighbours. {_CITE}",
            _object(url=_URL, pattern={"type": "string", "description": "What to find, letter by letter."}),
            web.find,
            {"type": "find_in_page", "url": "", "pattern": ""},
        ),
    ]


def _object(*optional: str, **properties: Json) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}
