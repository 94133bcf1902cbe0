"""The bodies that make containers and put files into them.

What a container is made of is checked where tools declare it as well: `nodes.container.declaration`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from server.wire.items import Wire


class ExpiresAfter(Wire):
    anchor: Literal["last_active_at"]
    minutes: Annotated[int, Field(ge=1, le=525_600)]


class CreateContainer(Wire):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    file_ids: list[str] | None = None
    expires_after: ExpiresAfter | None = None
    memory_limit: Literal["1g", "4g", "16g", "64g"] | None = None
    network_policy: dict[str, Any] | None = None
    skills: list[dict[str, Any]] | None = None


class CreateContainerFile(Wire):
    file_id: str


CREATE_CONTAINER = TypeAdapter(CreateContainer)
CREATE_CONTAINER_FILE = TypeAdapter(CreateContainerFile)
