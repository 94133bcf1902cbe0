"""Promises of what code in a sandbox of this machine cannot do; see `contract.py`."""

from tests.contract import promises

SANDBOX = promises(
    "docs/sandbox.md",
    """
    sandbox.files               Code sees no file of the host but programs and libraries, and writes to none of them.
    sandbox.secrets             Nothing of the server's environment can be read inside.
    sandbox.settings            Settings of the kernel cannot be written, whoever the server runs as.
    sandbox.network             Neither the host's loopback, nor its sockets, nor any network is reached.
    sandbox.processes           Processes of the host are neither seen nor signalled nor traced.
    sandbox.kernel              Calls that open up the kernel fail, by any ABI of the machine.
    sandbox.disk                What is written is bounded, wherever it is written, and so is the number of files.
    sandbox.forks               Processes and threads of one sandbox are bounded and leave other sandboxes theirs.
    sandbox.memory              A sandbox that takes too much memory ends, says why, and harms no other.
    sandbox.output              A sandbox that never stops talking fills no memory of the server.
    sandbox.time                Busy code gives way to the server, and is ended whatever it heeds.
    sandbox.orphans             When a sandbox or its server ends, by kill -9 too, no process of it stays.
    sandbox.check               A way is open when a sandbox was opened and held; else it is said what to do.
    """,
)
