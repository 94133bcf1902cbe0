"""Promises of what strangers may do to the server; see `contract.py`."""

from tests.contract import promises

SECURITY = promises(
    "§8.4; docs/security.md",
    """
    mcp.hostile.call            An answer that does harm costs bounded time and memory and fails its call, honestly.
    mcp.hostile.result          A result too large or odd to show is cut or named; what is shown is safe to read.
    mcp.hostile.list            Tools are listed in a way that harms neither caller nor model server, or not at all.
    mcp.hostile.reach           Nothing that a server says makes us ask another address.
    mcp.hostile.secrets         Secrets that a server repeats, and those in its URL, go no further.
    ssrf.addresses              No spelling of a private address is taken from a caller, nor a name that leads to one.
    ssrf.doors                  No door leads there: pages, browsers, files, images, MCP servers, containers.
    ssrf.pinned                 The address that was checked is the one that is connected to.
    ssrf.names                  Names that strangers name, whose servers take their time, hold up no other names.
    ssrf.allowed                The operator may name private hosts that callers may use.
    untrusted.asked             With `untrusted_text = "ask"` calls with side effects wait once strangers are read.
    untrusted.allowed           Without it they are made as always.
    untrusted.kept              What strangers have said counts in later responses, and after a crash.
    untrusted.spared            Calls that change nothing and texts of client and operator are not suspected.
    """,
)
