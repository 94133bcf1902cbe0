"""Log lines on stderr: the constant message, then its facts."""

import logging
import sys
from typing import Literal

import orjson

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def configure(level: str, shape: Literal["text", "json"]) -> None:
    """Set up the root logger. Libraries speak from WARNING on, so that an operator reads what changed."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_JsonLine() if shape == "json" else _TextLine())
    logging.basicConfig(level=logging.WARNING, handlers=[lines], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of every odd request
    for room in ("server", "nodes", "checkpoints", "graph"):
        logging.getLogger(room).setLevel(level.upper())
    logging.getLogger("graph.audit").setLevel(logging.INFO)  # who allowed what is no matter of verbosity


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class _TextLine(logging.Formatter):
    """`2026-11-22 16:38:06 WARNING graph.runner: response failed response_id=resp_… code=server_error`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        return super().formatMessage(record) + facts.replace("\n", "\\n")


class _JsonLine(logging.Formatter):
    """One object a line: `time` (Unix seconds), `level`, `logger`, `message`, the facts, `error` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
