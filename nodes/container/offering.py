"""What tools that work in a container have in common when they are opened for a run."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

from graph.errors import Json, RequestError
from graph.ports import Opening
from nodes.container.containers import Containers, Entered, Told

#: Enters the container of the call, when no other call is in it any more.
Enter = Callable[[], AbstractAsyncContextManager[Entered]]


class Offered(NamedTuple):
    #: What the model calls the function: nobody else is called so.
    name: str
    container_id: str
    enter: Enter
    told: Told


async def offered(containers: Containers, tools: Sequence[Json], opening: Opening, name: str, field: str) -> Offered:
    """The container that a tool declares in `field`; tools of one response share it. Raises `RequestError`."""
    if len(tools) > 1:
        message = f"There may be one '{name}' with a container among the 'tools'."
        raise RequestError(message, param=opening.param(tools[1]), code="invalid_value")
    param, beside = f"{opening.param(tools[0])}.{field}", opening.chosen.get("container")
    id = await containers.choose(opening.owner, tools[0][field], opening.entries, param, beside)
    opening.chosen["container"] = id
    unique, number = name, 1
    while unique in opening.taken:
        number += 1
        unique = f"{name}_{number}"
    enter = partial(containers.entered, opening.owner, id)
    return Offered(unique, id, enter, await containers.told(opening.owner, id))
