"""Promises of the code interpreter; see `contract.py`."""

from tests.contract import promises

CODE = promises(
    "§7.3, §8.5",
    """
    code.stream                 Code is shown while the model writes it, then run; the events have the API's order.
    code.state                  Variables and files of one call are there in the next, and in the next response.
    code.outputs                What code has said is in the item for those who ask with `include`, then and later.
    code.errors                 An exception is what the code has said; the call is completed and the model reads it.
    code.plots                  A figure becomes a picture of its data, kept as a file of the container.
    code.files                  Files that code makes are files of the container, cited where the text speaks of them.
    code.limits                 Code that takes too long is stopped, and the model is told.
    code.declared               A container that cannot be used is refused before anything runs.
    code.cut                    Code that the model did not finish writing is not run, and shown as far as it came.
    code.replayed               A client that keeps its own history sends calls back, and the model reads them.
    code.approved               An operator's rule may ask before code runs.
    clients.code                openai-agents, LangChain and the Vercel AI SDK run code, and go on with it.
    code.ready                  A sandbox is made ready when code may be wanted, and not before.
    code.interrupted            Code that ran when the server was killed is not run again, and nothing of it is left.
    """,
)
