"""Promises of how code runs in a sandbox, and of what is kept; see `contract.py`."""

from tests.contract import promises

RUNNING = promises(
    "§8.5; docs/containers.md",
    """
    running.state               Variables, functions and imports of a cell are there in the next.
    running.result              The last expression is shown as IPython shows it; None and `;` are silent.
    running.traceback           An exception is told with the lines of its cell, and with no frame of ours.
    running.order               What Python, C and other programs write arrives in the order it was written.
    running.live                What code says is told while it runs.
    running.await               `await` works at the top of a cell, on one loop for all cells.
    running.ipython             `!command` runs in the shell, harmless magics do nothing, others say so.
    running.plots               Figures and pictures become PNGs, each at its place in the output.
    running.input               What waits for a person fails at once and says why.
    running.exit                Code that ends, kills or closes its interpreter is told of; the next call works.
    running.fork                A process that code forks does not answer in its parent's place.
    running.interrupt           Code past its time is interrupted, and keeps its variables when it heeds that.
    running.kill                Code that does not heed an interrupt is killed within seconds, and files stay.
    running.cancel              A call that is given up is interrupted, and the next one is answered.
    running.flood               Endless output costs bounded memory and text; its beginning and end are told.
    running.forged              Nothing that code writes, anywhere, passes for an answer of the sandbox.
    running.commands            A command has its own stdout, stderr and exit code, and ends with its time.
    running.files               Files are put, read, listed and removed whole, under their names, of any size.
    running.files.links         No link, pipe or device is followed or read for those outside.
    running.files.names         A name that leads elsewhere is refused on both sides.
    running.changes             Made, changed and gone files are told once; those put in are not.
    running.kept                Variables come back in another sandbox as far as they can be kept.
    running.kept.bad            One variable that cannot be kept, or is too large, spoils no other.
    running.pool                One sandbox is kept ready and replaced when it is taken.
    running.many                Fifty sandboxes at once work beside one another; there are no more than the limit.
    running.packages            `sandbox install` makes a Python with packages, whole or not at all.
    """,
)
