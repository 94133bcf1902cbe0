"""Names for transactions, by what they write: the rows of the fault matrix."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from checkpoints.database import Found, Rows

_WRITE = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM) (\w+)(?: \(([^)]*)\))?")


class Seen:
    """`Rows` that remembers what was written through it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._written: list[tuple[str, str, dict[str, Any]]] = []

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Found:
        if match := _WRITE.match(sql):
            verb, table, columns = match.groups()
            values = dict(zip((columns or "").split(", "), parameters, strict=False))
            self._written.append((verb.split()[0], table, {**values, "": sql}))
        return self._rows.execute(sql, parameters)

    def alone(self) -> None:
        self._rows.alone()

    @property
    def name(self) -> str:
        """Empty for what only reads."""
        return next(self._names(), "")

    @property
    def task(self) -> str:
        """The step whose writes these are; two turns of the model are two of one name."""
        return next((values["task_id"] for _, table, values in self._written if table == "write"), "")

    @property
    def events(self) -> range:
        """Numbers of the events written."""
        for _, table, values in self._written:
            if table == "event" and "start" in values:
                return range(values["start"], values["start"] + bytes(values["data"]).count(b"\n\n"))
        return range(0)

    def _names(self) -> Iterator[str]:
        found = {(verb, table): values for verb, table, values in reversed(self._written)}
        if ("INSERT", "checkpoint") in found:
            yield _checkpoint(found["INSERT", "checkpoint"])
        if ("INSERT", "write") in found:
            yield _writes(found["INSERT", "write"])
        if ("INSERT", "started_call") in found:
            yield "call noted"
        if ("DELETE", "run") in found:
            yield "finish" if ("INSERT", "event") in found else "end"
        if ("DELETE", "worker") in found or ("INSERT", "worker") in found:
            yield "beat"
        if "epoch + 1" in found.get(("UPDATE", "run"), {}).get("", ""):
            yield "claim"
        if events := self.events:
            yield f"events {events[0]}"
        yield from (f"{verb.lower()} {table}" for verb, table in found if (verb, table) != ("UPDATE", "run"))


def _checkpoint(values: dict[str, Any]) -> str:
    metadata = json.loads(bytes(values["metadata"]))
    return f"checkpoint {metadata['step']}"


def _writes(values: dict[str, Any]) -> str:
    """A step is told by its path: `~__pregel_pull, call_model`, or `~__pregel_push, 0, …` for one of several calls."""
    kind, step, *_ = [*values["task_path"].split(", "), ""]
    if not step or (step.isdigit() and not kind.endswith("push")):
        return "writes update"
    return f"writes {f'call {int(step)}' if kind.endswith('push') else step}"
