"""Promises of what file search finds, and of the models it can use; see `contract.py`."""

from tests.contract import promises

QUALITY = promises(
    "docs/retrieval-quality.md",
    """
    search.words            Words are found inflected, without accents, in scripts without spaces, in short texts.
    search.filters          Filters mean the same in every database: all operators, nested, of missing and other types.
    search.index.whole      A file is found whole or not at all, also while it is made anew; another owner finds none.
    search.index.scores     Words are scored by BM25 and vectors by cosine, the same in every database.
    search.index.swept      What no file names any more is swept, and nothing else.
    search.quality.words    By words alone, nDCG@10 is .93 or better in each of thirteen languages.
    search.quality.hybrid   Words and vectors together find more than either does.
    search.quality.foreign  An embedder has no say on languages that it does not know.
    search.local.vectors    The local model makes vectors of length 1, the same of a text whatever stands beside it.
    search.local.process    It runs in a process that ends with the server, and is started again when it has died.
    search.local.installed  The local model is fetched and its digest checked, or taken from a file; whole, or not.
    search.local.missing    Without the model, a clear error says how to get it.
    """,
)
