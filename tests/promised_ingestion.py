"""Promises of how files become searchable; see `contract.py`."""

from tests.contract import promises

INGESTION = promises(
    "§14; docs/file-search-ingestion.md",
    """
    ingestion.kinds             Every kind of document becomes searchable, and its text is the windows put together.
    ingestion.refused           What has no text is `unsupported_file`, what is damaged or locked `invalid_file`.
    ingestion.hostile           Files that want to do harm fail with a reason, and others are answered meanwhile.
    ingestion.killed            A server that is killed at any moment loses nothing, and makes nothing twice.
    ingestion.given_up          A file over which three processes died fails, and those beside it do not.
    ingestion.child_killed      A process that reads or cuts and is killed is replaced, and the file is made.
    ingestion.again             A file that is put into a store again is found as it was until it is made anew.
    ingestion.unwanted          What is removed or cancelled while it is made is not made.
    ingestion.gone              A file whose bytes are gone fails.
    ingestion.fair              Owners take turns, however many files one of them has.
    ingestion.fenced            Who lost a file to another writes nothing of it, and cannot end it.
    ingestion.shared            Servers on one PostgreSQL share the files, and finish those of one that died.
    ingestion.left              A server that is asked to end leaves its files to others at once.
    ingestion.responsive        Others are answered at once while files are made searchable.
    ingestion.renewed           With another embedder files get its vectors, and are found all the while.
    """,
)
