"""Promises of the ways to have sandboxes and of their way out; see `contract.py`."""

from tests.contract import promises

WAYS = promises(
    "docs/sandbox-ways.md",
    """
    ways.choice                 The first open way is taken when it is first needed; when none is, each says why.
    network.allowed             Code reaches the allowed domains over HTTP and HTTPS, and nothing else.
    network.private             An allowed name that leads to a private address is refused; the address checked is used.
    network.limits              What one sandbox moves and keeps open over the network is bounded.
    network.secrets             A secret is put into headers for its domain alone, over HTTP and HTTPS.
    network.token               Only the sandbox that was told the token gets through its way out.
    """,
)
