"""`/v1/vector_stores`: files that can be searched."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints.vector_files import Wanted, unknown_store
from checkpoints.vector_stores import Draft
from graph import filters
from graph.errors import Json, RequestError
from graph.vector_stores import Passage, Scope, VectorStore
from nodes.file_search.declaration import RANKERS, ranking
from server.house import body_of, house_of, owner_of
from server.http import first_of, json_response, not_in_list, page_wanted
from server.openapi import LIST, asks, takes
from server.vector_files import chunking_of
from server.wire.problems import read
from server.wire.vector_store import (
    CREATE_STORE,
    SEARCH,
    UPDATE_STORE,
    CreateVectorStore,
    SearchVectorStore,
    UpdateVectorStore,
)

router = APIRouter(prefix="/v1/vector_stores", tags=["vector stores"])

_DAY_S = 86_400
_RESULTS = 10


@router.post("", openapi_extra=takes(CreateVectorStore))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(CREATE_STORE, body)
    searching, chunking = house_of(request).searching, chunking_of(body)
    wanted = [Wanted(id, {}, chunking) for id in dict.fromkeys(body.get("file_ids") or ())]
    await searching.files.check(owner, wanted, "file_ids")
    draft = Draft(body.get("name") or "", body.get("description"), body.get("metadata") or {}, _days(body))
    made = await searching.stores.create(owner, draft)
    if wanted:
        await searching.files.attach(owner, made.id, wanted)
    return json_response(shown(await _found(made.id, request, owner)))


@router.get("", openapi_extra=asks(*LIST, "before"))
async def list_stores(request: Request, owner: str = Depends(owner_of)) -> Response:
    page = page_wanted(request.query_params, before=True)
    found = await house_of(request).searching.stores.page(owner, page)
    if found is None:
        raise not_in_list(page.before or page.after or "", "before" if page.before else "after")
    return json_response(first_of([shown(store) for store in found], page))


@router.get("/{vector_store_id}")
async def retrieve(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(shown(await _found(vector_store_id, request, owner)))


@router.post("/{vector_store_id}", openapi_extra=takes(UpdateVectorStore))
async def update(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(UPDATE_STORE, body)
    changes: Json = {}
    if body.get("name") is not None:
        changes["name"] = body["name"]
    if "metadata" in body:
        changes["metadata"] = body["metadata"] or {}
    if "expires_after" in body:
        changes["expires_days"] = _days(body)
    if await house_of(request).searching.stores.update(owner, vector_store_id, changes) is None:
        raise unknown_store(vector_store_id)
    return json_response(shown(await _found(vector_store_id, request, owner)))


@router.delete("/{vector_store_id}")
async def delete(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    searching = house_of(request).searching
    if not await searching.stores.remove(owner, vector_store_id):
        raise unknown_store(vector_store_id)
    searching.sweep_soon()
    return json_response({"id": vector_store_id, "object": "vector_store.deleted", "deleted": True})


@router.post("/{vector_store_id}/search", openapi_extra=takes(SearchVectorStore))
async def search(vector_store_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(SEARCH, body)
    if body.get("filters") is not None:
        filters.check(body["filters"], "filters")
    order = ranking(body.get("ranking_options"), "ranking_options", (*RANKERS, "none"))
    store = await _found(vector_store_id, request, owner)
    if store.expired:
        raise RequestError(f"Vector store with id '{store.id}' has expired.", code="vector_store_expired")
    searching = house_of(request).searching
    await searching.stores.touch(owner, [store.id])
    queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
    scope = Scope(owner, [store.id], body.get("filters"))
    found = await searching.search.find(scope, queries, order, body.get("max_num_results") or _RESULTS)
    page = {"search_query": queries, "data": [_result(passage) for passage in found], "has_more": False}
    return json_response({"object": "vector_store.search_results.page", **page, "next_page": None})


# ---------------------------------------------------------------- shared


async def _found(id: str, request: Request, owner: str) -> VectorStore:
    found = await house_of(request).searching.stores.find(owner, id)
    if found is None:
        raise unknown_store(id)
    return found


def _days(body: Json) -> int | None:
    expiring: Json = body.get("expires_after") or {}
    return expiring.get("days")


def shown(store: VectorStore) -> Json:
    status = "expired" if store.expired else "in_progress" if store.counts.in_progress else "completed"
    days = store.expires_days
    return {
        "id": store.id,
        "object": "vector_store",
        "created_at": int(store.created_at),
        "name": store.name,
        "description": store.description,
        "usage_bytes": store.usage_bytes,
        "file_counts": {**store.counts._asdict(), "total": store.counts.total},
        "status": status,
        "expires_after": {"anchor": "last_active_at", "days": days} if days else None,
        "expires_at": int(store.last_active_at) + days * _DAY_S if days else None,
        "last_active_at": int(store.last_active_at),
        "metadata": dict(store.metadata),
    }


def _result(passage: Passage) -> Json:
    return {
        "file_id": passage.file_id,
        "filename": passage.filename,
        "score": passage.score,
        "attributes": dict(passage.attributes),
        "content": [{"type": "text", "text": passage.text}],
    }
