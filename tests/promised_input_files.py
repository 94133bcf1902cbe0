"""Promises of files and images in requests; see `contract.py`."""

from tests.contract import promises

INPUT_FILES = promises(
    "§6; docs/input-files.md",
    """
    input_file.types            The text of every type of document reaches the model, under its name, as data.
    input_file.cut              A text too long is cut, by file and by request, and the model is told where.
    input_file.places           Files are taken in messages and tool outputs, in all ways a response is made.
    input_file.kept             The item stays as it was sent; what it led to is found once and for all.
    input_file.refused          A file that cannot be told is a 400 that names the part and the reason.
    input_file.id               A file is named by id, its owner's only.
    input_file.url              A file is fetched from a URL, over redirects, compressed or not.
    input_file.reach            No URL, redirect or name that changes leads to an address callers may not name.
    input_file.fetch_limits     What is fetched is limited in bytes, packed or not, in seconds and in redirects.
    input_file.hostile          A document that harms its reader is a 400 within bounded seconds and memory.
    input_file.confined         A parser that a document has taken over sees no file, no network, no secret.
    input_file.unharmed         While documents are read others are answered at once.
    input_file.known            A document that comes again is not read again, within bounds.
    input_file.orphans          No reading process outlives its server.
    input_file.warm             Nobody waits for imports; what forks the readers comes back when it was killed.
    input_file.pass             A setting passes files on to model servers that read them.
    input_image.id              An image named by id is told as data, if it is of a kind that models take.
    input_image.fetch           A setting has images fetched here instead of by the model server.
    """,
)
