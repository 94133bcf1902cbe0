"""Which schemas this version can use. Kept apart from the migrations, which load slowly."""

from checkpoints.database import Unusable

#: The newest migration. One that older versions can go on beside (it adds what they need not know) raises the second
#: number (`0002.1`), any other the first.
HEAD = "0002.6"
_BEFORE = ("0001",)


def must_migrate(found: str | None) -> bool:
    """Whether a database whose schema is `found` (None: it is empty) needs migrating. Raises `Unusable`."""
    if found is None or found in _BEFORE:
        return True
    if found.partition(".")[0] != HEAD.partition(".")[0]:
        raise Unusable(
            f"The database has the schema '{found}', and this version knows none after {HEAD}: "
            "it belongs to a later version, or to another program. Nothing was written to it."
        )
    return found < HEAD
