"""Short questions that tests ask of what they were told."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from openai import OpenAI
from openai.types.responses import Response

Json = dict[str, Any]
T = TypeVar("T")


def eventually(ask: Callable[[], T], refused: type[Exception], limit_s: float = 10) -> T:
    """What `ask` gives once it no longer raises `refused`."""
    until = time.monotonic() + limit_s
    while True:
        try:
            return ask()
        except refused:
            if time.monotonic() > until:
                raise
        time.sleep(0.02)


def ended(client: OpenAI, response_id: str, limit_s: float = 20) -> Response:
    """The response once it has ended, polled as a client polls it."""
    until = time.monotonic() + limit_s
    while (found := client.responses.retrieve(response_id)).status in ("queued", "in_progress"):
        assert time.monotonic() < until, f"{response_id} is still {found.status}"
        time.sleep(0.02)
    return found


def kinds(events: Sequence[Json]) -> list[str]:
    """The types in their order, without `response.`, runs of one delta counted once."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [name for at, name in enumerate(names) if not (at and name == names[at - 1] and name.endswith(".delta"))]


def deltas(events: Sequence[Json], stem: str) -> list[str]:
    return [event["delta"] for event in events if event["type"] == f"response.{stem}.delta"]


def final(events: Sequence[Json]) -> Json:
    """The response of the terminal event."""
    return events[-1]["response"]


def output(events: Sequence[Json]) -> list[Json]:
    return final(events)["output"]


def text_of(response: Json) -> str:
    """All text said in messages."""
    parts = (part for item in response["output"] if item["type"] == "message" for part in item["content"])
    return "".join(part.get("text", "") for part in parts)
