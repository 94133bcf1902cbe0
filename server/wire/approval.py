"""The body that decides a request for approval."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from graph.errors import Json
from server.wire.items import Wire


class Decide(Wire):
    approve: bool
    reason: Annotated[str, Field(max_length=10_000)] | None = None
    values: Json | None = None


DECIDE = TypeAdapter(Decide)
