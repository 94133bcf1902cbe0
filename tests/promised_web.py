"""Promises of web search; see `contract.py`."""

from tests.contract import promises

WEB = promises(
    "§7.3, §8.6; docs/web-search.md",
    """
    web_search.call             The model searches with several queries, opens pages and finds in them.
    web_search.sources          Who asks for the sources of a search is shown them, also later; others are not.
    web_search.citations        Marks become links to pages and `url_citation`s over them.
    web_search.declared         A declaration is echoed with its defaults; one that cannot be names its place.
    web_search.domains          Only what the caller lets be found or read is.
    web_search.engines          Several engines are asked in their order; when none answers the model is told so.
    web_search.cached           Without access to the web only pages of the cache are opened.
    web_search.place            Where the user is said to be is told to engines that ask, and to the model.
    web_search.links            A page's links are told; a page may be named by the mark it was told under.
    web_search.replayed         What was found reaches the model again when a client brings back its items.
    web_search.disk             Pages are kept on disk, within bounds, and asked again by what their sites know them by.
    web_search.charset          Text is decoded as HTTP says it is encoded, where that may be true.
    web_search.unharmed         A heavy page or a bomb holds nobody up, and takes no memory that stays.
    web_search.reach            No page is opened on an address that is not on the public internet.
    web_search.robots           Pages that robots may not read are left alone, unless the operator says otherwise.
    web_search.fenced           What pages say is told as data: it can end no fence and make no mark.
    """,
)
