"""What the endpoints work with; built once, in `server/app.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from checkpoints import Store
from checkpoints.files import Files
from checkpoints.shelf import Shelf
from checkpoints.skills import Skills as SkillRows
from checkpoints.uploads import Uploads
from graph.archive import Engine
from graph.background import Background
from graph.ports import HostedTool, Models
from graph.runner import Runner
from nodes.container.containers import Containers
from nodes.skills.skills import Skills
from server.auth import Gate
from server.body import read_json
from server.keeper import Keeper
from server.operations import Operations
from server.searching import Searching


@dataclass(frozen=True, slots=True)
class House:
    store: Store
    runner: Runner
    background: Background
    engine: Engine
    keeper: Keeper
    models: Models
    tools: Sequence[HostedTool]
    containers: Containers
    #: What is in the containers.
    shelf: Shelf
    files: Files
    uploads: Uploads
    skills: Skills[SkillRows]
    #: Vector stores, and what searches them.
    searching: Searching
    gate: Gate
    strict: bool
    max_body_bytes: int
    operations: Operations
    #: Keep the events of every stored response that is streamed.
    resumable_streams: bool = False
    #: How long a WebSocket may stay open.
    websocket_minutes: float = 60.0


def house_of(request: Request) -> House:
    return request.state.house


async def owner_of(request: Request) -> str:
    """Whose rows this caller may see. Raises `Unauthorized`."""
    return await house_of(request).gate.owner(request.headers)


async def body_of(request: Request) -> Any:
    return await read_json(request, house_of(request).max_body_bytes)
