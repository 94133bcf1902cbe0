"""Promises of vector stores and their search; see `contract.py`."""

from tests.contract import promises

VECTOR_STORES = promises(
    "§14; docs/vector-stores.md",
    """
    stores.crud                 Stores are made, read, changed and deleted; an empty one is completed at once.
    stores.listed               Stores and files are listed in pages, forwards and backwards, files by status, too.
    stores.files                Files go in one by one or in batches; counts and usage are true at every moment.
    stores.attributes           Attributes of files can be changed, and searches see them at once.
    stores.search               A search finds passages by their words, the best first, as far as filters let it.
    stores.content              What searches see of a file can be read.
    stores.deleted              What is deleted is found no more, at once, and is nowhere after a moment.
    stores.expired              A store that was not used for its days is shown as expired, and not searched.
    stores.bodies               A body that cannot be is a 400 that names its place.
    stores.owners               Another owner's stores, files and batches are not there, and are never found.
    """,
)
FILE_SEARCH = promises(
    "§8.7; docs/file-search.md",
    """
    file_search.call            The model searches; the item shows its queries, and results to who asks for them.
    file_search.citations       Marks of passages become `file_citation`s in their places, in stream and response.
    file_search.declared        A tool that cannot be is a 400 that names its place; what it says is echoed.
    file_search.filters         Filters and thresholds of the caller hold for every search of the model.
    file_search.history         A client that keeps its history sends searches back, and the model is told of them.
    file_search.clients         openai-agents and LangChain search files unchanged.
    file_search.meaning         With an embedding model passages are found that share no word with the question.
    file_search.degraded        When the embedding model cannot be asked, words find alone.
    file_search.reranked        A model that is set up for it puts passages in their order, unless the caller says no.
    file_search.long            A file too long to be told is searched instead.
    """,
)
CHROMA = promises(
    "docs/chroma.md",
    """
    chroma.large                Large stores are searched by Chroma, small ones without it ever being started.
    chroma.right                Searches are right while Chroma lags, is killed, or has lost everything.
    chroma.shared               One Chroma serves all processes of a directory, and ends with the last of them.
    chroma.swept                What is deleted goes from Chroma, too.
    chroma.rebuilt              `graphnexus index rebuild` has it told everything anew.
    """,
)
