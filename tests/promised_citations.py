"""Promises of citations; see `contract.py`."""

from tests.contract import promises

CITATIONS = promises(
    "citations",
    """
    citations.marks             Marks become annotations in their places, wherever the stream is cut; no half is seen.
    """,
)
