"""The bodies of `/v1/vector_stores`. Source: CONTRACT of the Responses API, "Side resources"."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from server.wire.items import Wire
from server.wire.problems import custom
from server.wire.request import Metadata

_ATTRIBUTES = 16
_FILES, _BATCH = 500, 2000


def _few(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value and len(value) > _ATTRIBUTES:
        raise custom("object_above_max_properties", f"too many attributes. Expected a maximum of {_ATTRIBUTES}.")
    return value


Value = (
    Annotated[str, Field(max_length=512)]
    | Annotated[bool, Field(strict=True)]
    | Annotated[float, Field(allow_inf_nan=False, ge=-1e308, le=1e308)]
)
Attributes = Annotated[dict[Annotated[str, Field(max_length=64)], Value] | None, AfterValidator(_few)]


class ExpiresAfter(Wire):
    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class Static(Wire):
    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0, le=2048)]


class StaticChunking(Wire):
    type: Literal["static"]
    static: Static


class AutoChunking(Wire):
    type: Literal["auto"]


def _overlapping(value: AutoChunking | StaticChunking | None) -> AutoChunking | StaticChunking | None:
    if isinstance(value, StaticChunking) and 2 * value.static.chunk_overlap_tokens > value.static.max_chunk_size_tokens:
        raise custom("invalid_value", "the overlap must not exceed half of the chunk size.")
    return value


Chunking = Annotated[
    Annotated[AutoChunking | StaticChunking, Field(discriminator="type")] | None, AfterValidator(_overlapping)
]


class CreateVectorStore(Wire):
    name: Annotated[str, Field(max_length=512)] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    file_ids: Annotated[list[str], Field(max_length=_FILES)] | None = None
    metadata: Metadata = None
    expires_after: ExpiresAfter | None = None
    chunking_strategy: Chunking = None


class UpdateVectorStore(Wire):
    name: Annotated[str, Field(max_length=512)] | None = None
    metadata: Metadata = None
    expires_after: ExpiresAfter | None = None


class CreateVectorStoreFile(Wire):
    file_id: str
    attributes: Attributes = None
    chunking_strategy: Chunking = None


class UpdateVectorStoreFile(Wire):
    attributes: Attributes


class CreateVectorStoreBatch(Wire):
    file_ids: Annotated[list[str], Field(min_length=1, max_length=_BATCH)] | None = None
    files: Annotated[list[CreateVectorStoreFile], Field(min_length=1, max_length=_BATCH)] | None = None
    attributes: Attributes = None
    chunking_strategy: Chunking = None


class SearchVectorStore(Wire):
    query: (
        Annotated[str, Field(min_length=1, max_length=4096)]
        | Annotated[list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(min_length=1, max_length=20)]
    )
    filters: dict[str, Any] | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: dict[str, Any] | None = None
    rewrite_query: bool | None = None


CREATE_STORE = TypeAdapter(CreateVectorStore)
UPDATE_STORE = TypeAdapter(UpdateVectorStore)
CREATE_FILE = TypeAdapter(CreateVectorStoreFile)
UPDATE_FILE = TypeAdapter(UpdateVectorStoreFile)
CREATE_BATCH = TypeAdapter(CreateVectorStoreBatch)
SEARCH = TypeAdapter(SearchVectorStore)
