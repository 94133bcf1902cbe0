"""Promises of the Files and Uploads APIs; see `contract.py`."""

from tests.contract import promises

FILES = promises(
    "§14; API reference, Files and Uploads",
    """
    files.roundtrip             A file comes back as it was sent, under the name it had, and goes when it is deleted.
    files.list                  Files are listed in pages, by purpose.
    files.names                 Only the last part of a name is kept, and nothing in it that cannot be seen.
    files.refused               A form that is wrong is a 400 that names what, and nothing is kept of it.
    files.limits                Files that are too large, or for which the owner has no room, are refused.
    files.owners                Nobody finds the files of others.
    files.streamed              Files go through the server without being held in its memory.
    files.killed                Of a file whose upload did not end nothing is kept, whatever ended it.
    files.expiry                A file goes when its time has come, bytes and all.
    files.storage               The bytes may be in an S3-compatible store.
    uploads.parts               Parts become one file in the order in which they are named.
    uploads.expiry              An upload that nobody completes goes after an hour, parts and all.
    uploads.refused             Parts that do not add up are refused; what is cancelled or completed takes no more.
    """,
)
