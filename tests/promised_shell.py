"""Promises of the hosted shell and of skills; see `contract.py`."""

from tests.contract import promises

SHELL = promises(
    "§7.3, §8.9, §8.10",
    """
    shell.stream                Commands are shown, then what they say while they say it, in an item of its own.
    shell.state                 Files stay from call to call, beside what the code interpreter makes.
    shell.outcomes              Each command says how it ended; one that takes too long is stopped.
    shell.length                Outputs are no longer than the model wants them.
    shell.declared              A container that cannot be used is refused; a local shell stays the client's.
    shell.replayed              A client that keeps its own history sends calls back, and the model reads them.
    shell.approved              An operator's rule asks before commands run.
    shell.interrupted           Commands that ran when the server was killed are not run again.
    skills.kept                 Skills are made of a zip or of files, in versions, read, listed and deleted.
    skills.refused              A skill that is none, or does harm, is refused and nothing of it is kept.
    skills.used                 The model is told what skills there are, and finds them in the container.
    """,
)
