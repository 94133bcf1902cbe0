"""What a user gave that cannot be used."""


class Unfit(Exception):
    """The message is one line fit for a terminal: what was found where, what was expected, and how to mend it."""
