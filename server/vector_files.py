"""`/v1/vector_stores/{id}/files` and `/file_batches`: what is put into a vector store, and how far it has come."""

from collections.abc import Sequence
from typing import Any, cast, get_args

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints.vector_files import Wanted, unknown_store
from graph.errors import Json, NotFound, RequestError
from graph.vector_stores import Batch, Chunking, FileStatus, StoreFile
from server.house import body_of, house_of, owner_of
from server.http import first_of, json_response, not_in_list, page_wanted
from server.openapi import LIST, asks, takes
from server.searching import Searching
from server.wire.problems import read
from server.wire.vector_store import (
    CREATE_BATCH,
    CREATE_FILE,
    UPDATE_FILE,
    CreateVectorStoreBatch,
    CreateVectorStoreFile,
    UpdateVectorStoreFile,
)

router = APIRouter(prefix="/v1/vector_stores/{vector_store_id}", tags=["vector stores"])

_STATUSES: Sequence[str] = get_args(FileStatus)
_PAGE = (*LIST, "before", "filter")


def chunking_of(body: Json) -> Chunking:
    strategy: Json = body.get("chunking_strategy") or {}
    if strategy.get("type") != "static":
        return Chunking()
    return Chunking(strategy["static"]["max_chunk_size_tokens"], strategy["static"]["chunk_overlap_tokens"])


def _wanted(body: Json) -> Wanted:
    return Wanted(body["file_id"], body.get("attributes") or {}, chunking_of(body))


# ---------------------------------------------------------------- files


@router.post("/files", openapi_extra=takes(CreateVectorStoreFile))
async def attach(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(CREATE_FILE, body)
    searching = await _searching(vector_store_id, request, owner)
    await searching.files.check(owner, [_wanted(body)], "file_id")
    await searching.files.attach(owner, vector_store_id, [_wanted(body)])
    return json_response(_shown(await _file(searching, owner, vector_store_id, body["file_id"])))


@router.get("/files", openapi_extra=asks(*_PAGE))
async def list_files(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    searching = await _searching(vector_store_id, request, owner)
    return await _listed(searching, owner, vector_store_id, request)


@router.get("/files/{file_id}")
async def retrieve(vector_store_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    searching = await _searching(vector_store_id, request, owner)
    return json_response(_shown(await _file(searching, owner, vector_store_id, file_id)))


@router.post("/files/{file_id}", openapi_extra=takes(UpdateVectorStoreFile))
async def update(vector_store_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(UPDATE_FILE, body)
    searching = await _searching(vector_store_id, request, owner)
    if not await searching.files.attributes(owner, vector_store_id, file_id, body["attributes"] or {}):
        raise _unknown(file_id)
    return json_response(_shown(await _file(searching, owner, vector_store_id, file_id)))


@router.delete("/files/{file_id}")
async def remove(vector_store_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    searching = await _searching(vector_store_id, request, owner)
    if not await searching.files.remove(owner, vector_store_id, file_id):
        raise _unknown(file_id)
    searching.sweep_soon()
    return json_response({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})


@router.get("/files/{file_id}/content")
async def content(vector_store_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    """The text that searches see."""
    searching = await _searching(vector_store_id, request, owner)
    await _file(searching, owner, vector_store_id, file_id)
    text = await searching.windows.whole(owner, vector_store_id, file_id)
    data = [{"type": "text", "text": text}] if text else []
    page = {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}
    return json_response(page)


# ---------------------------------------------------------------- batches


@router.post("/file_batches", openapi_extra=takes(CreateVectorStoreBatch))
async def create_batch(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(CREATE_BATCH, body)
    if (body.get("file_ids") is None) == (body.get("files") is None):
        message = "Ensure you are providing exactly one of: 'file_ids' or 'files'."
        raise RequestError(message, param="file_ids", code="mutually_exclusive_parameters")
    searching = await _searching(vector_store_id, request, owner)
    if body.get("files") is not None:
        wanted = [_wanted(file) for file in cast(list[Json], body["files"])]
        await searching.files.check(owner, wanted, "files")
    else:
        wanted = [Wanted(id, body.get("attributes") or {}, chunking_of(body)) for id in body["file_ids"]]
        await searching.files.check(owner, wanted, "file_ids")
    id = await searching.files.batch(owner, vector_store_id, wanted)
    return json_response(_batch_shown(await _batch(searching, owner, vector_store_id, id)))


@router.get("/file_batches/{batch_id}")
async def retrieve_batch(
    vector_store_id: str, batch_id: str, request: Request, owner: str = Depends(owner_of)
) -> Response:
    searching = await _searching(vector_store_id, request, owner)
    return json_response(_batch_shown(await _batch(searching, owner, vector_store_id, batch_id)))


@router.post("/file_batches/{batch_id}/cancel")
async def cancel_batch(
    vector_store_id: str, batch_id: str, request: Request, owner: str = Depends(owner_of)
) -> Response:
    """What is searchable stays so."""
    searching = await _searching(vector_store_id, request, owner)
    await searching.files.cancel_batch(owner, vector_store_id, batch_id)
    return json_response(_batch_shown(await _batch(searching, owner, vector_store_id, batch_id)))


@router.get("/file_batches/{batch_id}/files", openapi_extra=asks(*_PAGE))
async def list_batch(vector_store_id: str, batch_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    searching = await _searching(vector_store_id, request, owner)
    await _batch(searching, owner, vector_store_id, batch_id)
    return await _listed(searching, owner, vector_store_id, request, batch_id)


# ---------------------------------------------------------------- shared


async def _searching(vector_store_id: str, request: Request, owner: str) -> Searching:
    searching = house_of(request).searching
    if await searching.stores.find(owner, vector_store_id) is None:
        raise unknown_store(vector_store_id)
    return searching


async def _listed(
    searching: Searching, owner: str, store_id: str, request: Request, batch_id: str | None = None
) -> Response:
    page, status = page_wanted(request.query_params, before=True), request.query_params.get("filter")
    if status and status not in _STATUSES:
        names = ", ".join(f"'{name}'" for name in _STATUSES)
        message = f"Invalid value: '{status[:50]}'. Supported values are: {names}."
        raise RequestError(message, param="filter", code="invalid_value")
    wanted = cast(FileStatus, status) if status else None
    found = await searching.files.page(owner, store_id, page, wanted, batch_id)
    if found is None:
        raise not_in_list(page.before or page.after or "", "before" if page.before else "after")
    return json_response(first_of([_shown(file) for file in found], page))


async def _file(searching: Searching, owner: str, store_id: str, file_id: str) -> StoreFile:
    found = await searching.files.find(owner, store_id, file_id)
    if found is None:
        raise _unknown(file_id)
    return found


async def _batch(searching: Searching, owner: str, store_id: str, id: str) -> Batch:
    found = await searching.files.find_batch(owner, store_id, id)
    if found is None:
        raise NotFound(f"No file batch found with id '{id[:100]}'.", param="batch_id")
    return found


def _unknown(file_id: str) -> NotFound:
    return NotFound(f"No file found with id '{file_id[:100]}' in this vector store.", param="file_id")


def _shown(file: StoreFile) -> Json:
    error = {"code": file.error_code, "message": file.error_message} if file.error_code else None
    sizes = {"max_chunk_size_tokens": file.chunking.tokens, "chunk_overlap_tokens": file.chunking.overlap}
    return {
        "id": file.file_id,
        "object": "vector_store.file",
        "created_at": int(file.created_at),
        "usage_bytes": file.usage_bytes,
        "vector_store_id": file.store_id,
        "status": file.status,
        "last_error": error,
        "chunking_strategy": {"type": "static", "static": sizes},
        "attributes": dict(file.attributes),
    }


def _batch_shown(batch: Batch) -> Json:
    """`object` as the API sends it; the SDK's type has another."""
    return {
        "id": batch.id,
        "object": "vector_store.file_batch",
        "created_at": int(batch.created_at),
        "vector_store_id": batch.store_id,
        "status": batch.status,
        "file_counts": {**batch.counts._asdict(), "total": batch.counts.total},
    }
