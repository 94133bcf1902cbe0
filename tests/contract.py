"""The contract as data: what we promise, where it comes from, and what we know to be missing.

The promises stand in `promised.py` and `promised_durable.py`. `@promise("stream.order.message")` on a test says which
it holds us to; `test_promises.py` sees to it that every promise without a gap has a test and that no test speaks of a
promise not made. A source is a section (§) of the contract of the Responses API.
"""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Promise:
    id: str
    sentence: str
    source: str
    #: Why it is not kept yet. Empty when it is.
    gap: str = ""


def promise(*ids: str) -> pytest.MarkDecorator:
    """The test holds us to these promises."""
    return pytest.mark.promise(*ids)


def promises(source: str, table: str, gap: str = "") -> list[Promise]:
    """One promise a line: its id, blanks, its sentence."""
    rows = [line.split(maxsplit=1) for line in table.strip().splitlines()]
    return [Promise(id, sentence.strip(), source, gap) for id, sentence in rows]
