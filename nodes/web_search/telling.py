"""What the model reads of the web: fenced as data, under marks, pages line by line."""

from collections.abc import Sequence

from graph.errors import Json
from nodes.fenced import data, plain, safe, titled
from nodes.web_search.engines.port import Hit
from nodes.web_search.pages.webpage import Webpage

DATA = data("result and page")


def told_hits(told: Sequence[tuple[str, Hit]], chars: int) -> str:
    """`chars`: of each."""
    if not told:
        return "Nothing was found. Try other words, or say that the web does not tell."
    return "\n\n".join([DATA, *(_told_hit(mark, hit, chars) for mark, hit in told)])


def _told_hit(mark: str, hit: Hit, chars: int) -> str:
    head = f'<result mark="【{mark}】" url="{plain(hit.url)}" title="{titled(hit.title)}">'
    return f"{head}\n{safe(hit.text[:chars])}\n</result>"


def told_lines(mark: str, page: Webpage, numbers: Sequence[int], note: str) -> str:
    """Lines of a page, by their numbers from 1 on."""
    lines = "\n".join(f"L{number}: {safe(page.lines[number - 1])}" for number in numbers)
    head = f'<page mark="【{mark}】" url="{plain(page.url)}" title="{titled(page.title)}" lines="{len(page.lines)}">'
    return f"{DATA}\n\n{head}\n{lines}\n</page>\n{note}"


def cited(mark: str, url: str, title: str) -> Json:
    """A source as `Outcome` takes it."""
    return {"mark": mark, "note": {"type": "url_citation", "url": url, "title": title or url}}
