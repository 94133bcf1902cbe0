"""The contract as data: what we promise, where it comes from, and what we know to be missing.

`@promise("stream.order.message")` on a test says which promises it holds us to; `test_promises.py` sees to it that
every promise without a gap has a test and that no test speaks of a promise not made. Sources are sections of the
Responses API contract (`§`), the Open Responses specification (`OR`) and client libraries (`SDK`).
"""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Promise:
    id: str
    sentence: str
    source: str
    #: Why it is not kept yet; the issue that will keep it. Empty when it is kept.
    gap: str = ""


def promise(*ids: str) -> pytest.MarkDecorator:
    """The test holds us to these promises."""
    return pytest.mark.promise(*ids)


def _section(source: str, **sentences: str) -> list[Promise]:
    """Promises of one section; `__` in a keyword is the dot of the id."""
    return [Promise(id.replace("__", "."), sentence, source) for id, sentence in sentences.items()]


PROMISES: list[Promise] = []
