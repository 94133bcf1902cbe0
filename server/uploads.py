"""`/v1/uploads`: large files, in parts."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints.files import Named
from checkpoints.uploads import Upload
from graph.errors import Json, RequestError
from graph.files import File
from server import files
from server.house import body_of, house_of, owner_of
from server.http import json_response
from server.multipart import form_of
from server.openapi import takes, takes_form
from server.wire.file import COMPLETE_UPLOAD, CREATE_UPLOAD, CompleteUpload, CreateUpload, safe_name
from server.wire.problems import read

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])

#: Of one part. Source: API reference, "Add upload part".
_PART_BYTES = 64 << 20


@router.post("", openapi_extra=takes(CreateUpload))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    read(CREATE_UPLOAD, body)
    limit = house.uploads.limit_bytes
    if body["bytes"] > limit:
        message = f"Invalid 'bytes': expected at most {limit} on this server, but got {body['bytes']}."
        raise RequestError(message, param="bytes", code="integer_above_max_value")
    named = Named(safe_name(body["filename"]), body["purpose"], files.expires_s(body))
    return json_response(_shown(await house.uploads.create(owner, named, body["bytes"], body["mime_type"])))


@router.post("/{upload_id}/parts", openapi_extra=takes_form("data"))
async def add_part(upload_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    form = await form_of(request, "data")
    added = await house_of(request).uploads.add(owner, upload_id, form.chunks(), _PART_BYTES)
    return json_response({**added._asdict(), "object": "upload.part"})


@router.post("/{upload_id}/complete", openapi_extra=takes(CompleteUpload))
async def complete(upload_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    uploads = house_of(request).uploads
    body: Any = await body_of(request)
    read(COMPLETE_UPLOAD, body)
    file = await uploads.complete(owner, upload_id, body["part_ids"], body.get("md5"))
    return json_response(_shown(await uploads.find(owner, upload_id), file))


@router.post("/{upload_id}/cancel")
async def cancel(upload_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(_shown(await house_of(request).uploads.cancel(owner, upload_id)))


def _shown(upload: Upload, file: File | None = None) -> Json:
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.size_bytes,
        "created_at": upload.created_at,
        "filename": upload.named.filename,
        "purpose": upload.named.purpose,
        "status": upload.status,
        "expires_at": upload.expires_at,
        "file": files.shown(file) if file else None,
    }
