"""Keeps the log readable while a library says the same thing over and over."""

import logging
import time

#: Seconds for which one line is logged once.
_QUIET_S = 60.0
#: What DBOS adds to its log records.
_FACTS = ("applicationID", "applicationVersion", "executorID", "operationUUID")


class Quiet(logging.Filter):
    """A database that is away makes DBOS say so at every look: once a minute is enough, in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key, now = (record.module, record.lineno), time.monotonic()
        if now - self._said.get(key, -_QUIET_S) < _QUIET_S:
            return False
        self._said[key] = now
        said = record.getMessage().partition("Traceback")[0].partition("\n")[0].strip(" :")
        record.msg, record.args = (f"{said}: {record.exc_info[1]!r}" if record.exc_info else said), ()
        record.exc_info = None
        for fact in _FACTS:
            vars(record).pop(fact, None)
        return True
