"""Promises of containers; see `contract.py`."""

from tests.contract import promises

CONTAINERS = promises(
    "§8.5, §14; docs/containers.md",
    """
    containers.crud             Containers are made, read and deleted.
    containers.listed           They are listed in pages, and by name.
    containers.files            Files go in, by form or as copies of others, and out, as they are.
    containers.bodies           A body that cannot be is a 400 that names its place.
    containers.unknown          A container or file that is not there is a 404.
    containers.owners           Another owner's containers are not there.
    containers.expired          A container that was not used is shown as expired, and is back when it is used.
    containers.room             A container holds what its sandbox's disk does; more is a 400.
    containers.calls            Calls in a container come one after another and share its files and variables.
    containers.conflict         Files that callers and code change at the same time are all kept; the later one wins.
    containers.idle             An idle sandbox goes; files and variables come back with the next call.
    containers.restart          A server that is stopped leaves files and variables to the next.
    containers.killed           Of a killed server the files are there, and variables that are lost are told to be.
    containers.poisoned         Saved variables that do harm cost the variables, not the container.
    containers.handover         Another server on the database is handed a container, variables and all.
    containers.deleted          A deleted container is gone at once: what runs in it, on whatever server, its bytes.
    containers.limit            At most so many sandboxes live; the one idle longest gives way.
    containers.cancelled        What a cancelled call has made is kept.
    containers.full             Files that do not fit are not kept, and the model is told.
    containers.auto             `auto` goes on in the newest container of the conversation that fits, or makes one.
    containers.reference        A container is named by its id; another owner's is not found.
    containers.inputs           Files that a declaration or a message names are in `/mnt/data`, put there once.
    containers.declared         A declaration that cannot be is a 400 that names its place.
    containers.refused          What this server does not give is a 400 that names the place, and the setting.
    containers.secrets          Secrets for domains are kept sealed and never echoed.
    containers.paths            Whatever callers and code call files, they stay beneath `/mnt/data`.
    containers.old              Containers that were not used for long go, bytes and all.
    containers.whole            Of a file that was never whole nothing is seen, and nothing is left.
    """,
)
