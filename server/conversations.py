"""`/v1/conversations`: a conversation is a thread with a head; its items are those of the head's checkpoint."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints import Conversation
from graph.archive import Head
from graph.attachments import attached
from graph.errors import Json, NotFound, RequestError
from graph.ids import item_ids, new_id
from graph.including import revealed
from graph.input import stored_form
from graph.state import Entry
from server.asking import typed_items
from server.house import body_of, house_of, owner_of
from server.http import include_of, json_response, page_of
from server.openapi import LIST, asks, takes
from server.wire.problems import read
from server.wire.request import (
    ADD_ITEMS,
    CREATE_CONVERSATION,
    UPDATE_CONVERSATION,
    AddItems,
    CreateConversation,
    UpdateConversation,
)

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.post("", openapi_extra=takes(CreateConversation))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    body: Any = await body_of(request)
    read(CREATE_CONVERSATION, body)
    made = Conversation(new_id("conv_"), owner, str(uuid.uuid4()), None, body.get("metadata") or {}, int(time.time()))
    added = await _taken(request, made, body.get("items") or [])
    await house_of(request).store.conversations.create(made)
    if added:
        await house_of(request).runner.edit(made, added)
    return json_response(_shown(made))


@router.get("/{conversation_id}")
async def retrieve(conversation_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(_shown(await _found(conversation_id, request, owner)))


@router.post("/{conversation_id}", openapi_extra=takes(UpdateConversation))
async def update(conversation_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    await _found(conversation_id, request, owner)
    body: Any = await body_of(request)
    read(UPDATE_CONVERSATION, body)
    await house_of(request).store.conversations.update(owner, conversation_id, body["metadata"] or {})
    return json_response(_shown(await _found(conversation_id, request, owner)))


@router.delete("/{conversation_id}")
async def delete(conversation_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    await _found(conversation_id, request, owner)
    await house_of(request).store.conversations.delete(owner, conversation_id)
    return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


# ---------------------------------------------------------------- items


@router.post("/{conversation_id}/items", openapi_extra=takes(AddItems))
async def add_items(conversation_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    conversation = await _found(conversation_id, request, owner)
    body: Any = await body_of(request)
    read(ADD_ITEMS, body)
    added = await _taken(request, conversation, body["items"])
    await house_of(request).runner.edit(conversation, added)
    items = [entry["item"] for entry in added]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"], "has_more": False}
    return json_response({"object": "list", "data": items, **ends})


@router.get("/{conversation_id}/items", openapi_extra=asks(*LIST, "include[]"))
async def list_items(conversation_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    entries = await _entries(request, await _found(conversation_id, request, owner))
    include = include_of(request.query_params)
    return json_response(page_of([revealed(entry, include) for entry in entries], request.query_params))


@router.get("/{conversation_id}/items/{item_id}", openapi_extra=asks("include[]"))
async def retrieve_item(
    conversation_id: str, item_id: str, request: Request, owner: str = Depends(owner_of)
) -> Response:
    entries = await _entries(request, await _found(conversation_id, request, owner))
    return json_response(_item(entries, item_id, include_of(request.query_params)))


@router.delete("/{conversation_id}/items/{item_id}")
async def delete_item(conversation_id: str, item_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    conversation = await _found(conversation_id, request, owner)
    entries = await _entries(request, conversation)
    _item(entries, item_id)
    left = [entry for entry in entries if entry["item"]["id"] != item_id]
    await house_of(request).runner.edit(conversation, left, replace=True)
    return json_response(_shown(conversation))


# ---------------------------------------------------------------- shared


async def _found(conversation_id: str, request: Request, owner: str) -> Conversation:
    conversation = await house_of(request).store.conversations.find(owner, conversation_id)
    if conversation is None:
        raise NotFound(f"Conversation with id '{conversation_id}' not found.")
    return conversation


async def _entries(request: Request, conversation: Conversation) -> Sequence[Entry]:
    return await house_of(request).runner.history(_head(conversation))


async def _taken(request: Request, conversation: Conversation, items: list[Json]) -> list[Entry]:
    """The entries of items for a conversation. Raises `RequestError`."""
    ids = item_ids(conversation.id)
    typed = typed_items(items, "items")
    if any(item["type"] == "item_reference" for item in typed if isinstance(item, dict)):
        raise RequestError("A conversation takes items, not references to items.", param="items", code="invalid_value")
    entries: list[Entry] = [{"item": stored_form(item, ids)} for item in typed if isinstance(item, dict)]
    return await attached(entries, "items", conversation.owner, house_of(request).runner.attachments)


def _item(entries: Sequence[Entry], item_id: str, include: Sequence[str] = ()) -> Json:
    for entry in entries:
        if entry["item"]["id"] == item_id:
            return revealed(entry, include)
    raise NotFound(f"Item with id '{item_id}' not found in this conversation.")


def _head(conversation: Conversation) -> Head:
    return Head(conversation.thread_id, conversation.checkpoint_id)


def _shown(conversation: Conversation) -> Json:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created_at,
        "metadata": conversation.metadata,
    }
