"""Promises of the ways to have sandboxes and of their way out; see `contract.py`."""

from tests.contract import promises

WAYS = promises(
    "docs/sandbox-ways.md",
    """
    ways.choice                 The first open way is taken when it is first needed; when none is, each says why.
    ways.named                  The operator names a way; what it cannot is refused with the reason, the rest goes on.
    landlock.escapes            Without namespaces too, code sees and touches nothing of the host, and has no sockets.
    landlock.limits             Memory, disk and processes of one sandbox are bounded there too; it goes on when it can.
    landlock.end                Whatever code has started ends with its sandbox, and with a server that is killed.
    docker.reasons              Without engine or image it is said what would help; nothing is fetched unasked.
    docker.sandbox              A container has no network and no rights; it ends with its sandbox.
    e2b.code                    E2B's SDK runs code for us: variables stay, results, pictures and tracebacks are shown.
    e2b.limits                  Code at E2B that takes too long is interrupted, and left behind if it does not heed.
    e2b.files                   Files go to E2B and come back, changes are seen, commands run.
    e2b.reasons                 When E2B cannot be reached or has gone, that is said; it is never a bug.
    network.allowed             Code reaches the allowed domains over HTTP and HTTPS, and nothing else.
    network.private             An allowed name that leads to a private address is refused; the address checked is used.
    network.limits              What one sandbox moves and keeps open over the network is bounded.
    network.secrets             A secret is put into headers for its domain alone, over HTTP and HTTPS.
    network.token               Only the sandbox that was told the token gets through its way out.
    """,
)
