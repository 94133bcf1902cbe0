"""A document and what it comes to: text, by pages.

Of the standard library alone, for the processes that read import it.
"""

from typing import NamedTuple

#: The mark of what is no text of a page, but where its links lead: a line for each, URL and words.
LINKS = "\n"


class Document(NamedTuple):
    content: bytes
    #: May be empty, and is not safe as a path.
    filename: str
    #: As whoever sent it says; may be empty.
    media_type: str = ""
    #: Likewise, for text and HTML.
    charset: str = ""


class Page(NamedTuple):
    """A part of a document by its own division."""

    #: `page 3`, `slide 2`, `sheet Prices`; empty where the format has no such parts.
    mark: str
    text: str


class Parsed(NamedTuple):
    pages: list[Page]
    #: Characters of the whole document; `pages` hold fewer when it was cut.
    chars: int

    @property
    def text(self) -> str:
        """All pages, each under its mark."""
        return "\n\n".join(
            f"[{page.mark}]\n{page.text or '(no text)'}" if page.mark else page.text for page in self.pages
        )

    @property
    def held(self) -> int:
        """Characters of it that are there."""
        return sum(len(page.text) for page in self.pages)

    def cut(self, limit_chars: int) -> "Parsed":
        """No more of it than that."""
        pages, left = list[Page](), limit_chars
        for page in self.pages:
            if left <= 0:
                break
            pages.append(Page(page.mark, page.text[:left]))
            left -= len(page.text)
        return Parsed(pages, self.chars)


class Unreadable(Exception):
    """Nothing can be told of the document. `reason` goes on behind its name: "is encrypted."."""

    def __init__(self, reason: str, code: str = "unsupported_file", *, damaged: bool = False) -> None:
        """`damaged`: others of its kind can be read."""
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.damaged = damaged
