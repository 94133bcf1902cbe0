"""`/v1/models`: everything that can be asked for, wherever it runs."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from graph.errors import NotFound
from server.house import house_of, owner_of
from server.http import json_response

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response({"object": "list", "data": await house_of(request).models.listed()})


@router.get("/{model:path}")
async def retrieve_model(model: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    for listed in await house_of(request).models.listed():
        if listed["id"] == model:
            return json_response(listed)
    raise NotFound(f"The model '{model}' does not exist.", param="model", code="model_not_found")
