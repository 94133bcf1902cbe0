"""A search engine that answers at once, and pages of any size: `python -m evals.bench.pages PORT`.

`/search` finds two pages, in SearXNG's words; `/20/ANYTHING` is a page of some 20 KB that says ANYTHING.
"""

import sys

import uvloop

from evals.bench.answering import HEAD, Answering, listen

_PARAGRAPH = (
    "<p>In {about}, number {at}: the harbour lies in a steady breeze, the ferries leave on the hour, and no rain is "
    "seen.</p><ul><li>one <a href='/1/{at}'>quay</a></li><li>another</li></ul>"
)


def page(kilobytes: int, about: str) -> str:
    paragraphs = "".join(_PARAGRAPH.format(about=about, at=at) for at in range(kilobytes * 1024 // 190))
    return (
        f"<html><head><title>{about}</title></head><body><nav>Home</nav><article>{paragraphs}</article></body></html>"
    )


class Pages(Answering):
    def on_url(self, url: bytes) -> None:
        self._url = url.decode()

    def answer(self, method: bytes, body: bytes) -> None:
        match self._url.partition("?")[0].split("/")[1:]:
            case ["health"]:
                self.nothing(b"200 OK")
            case ["search"]:
                hits = [{"url": f"http://127.0.0.1/{at}", "title": "A quay", "content": "It lies."} for at in (1, 2)]
                self.reply({"results": hits})
            case [size, about] if size.isdecimal():
                said = page(int(size), about).encode()
                self.write(HEAD + b"text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
            case _:
                self.nothing(b"404 Not Found")


if __name__ == "__main__":
    uvloop.run(listen(Pages, int(sys.argv[1])))
