"""What a caller says of a file, in a form or as JSON. Source: CONTRACT of the Responses API, "Side resources"."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from server.wire.items import Wire
from server.wire.problems import read

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
_NAME_BYTES = 255
_KEY = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")
_NUMBER = re.compile(r"[0-9]{1,15}")
#: Name parts that are no letters but lead elsewhere, or that cannot be seen.
_UNSOUND = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class ExpiresAfter(Wire):
    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class CreateFile(Wire):
    purpose: Purpose
    expires_after: ExpiresAfter | None = None


class CreateUpload(CreateFile):
    filename: Annotated[str, Field(min_length=1, max_length=1000)]
    bytes: Annotated[int, Field(ge=1)]
    mime_type: Annotated[str, Field(min_length=1, max_length=255)]


class CompleteUpload(Wire):
    part_ids: Annotated[list[str], Field(min_length=1)]
    md5: Annotated[str, Field(max_length=100)] | None = None


CREATE_FILE = TypeAdapter(CreateFile)
CREATE_UPLOAD = TypeAdapter(CreateUpload)
COMPLETE_UPLOAD = TypeAdapter(CompleteUpload)


def checked_form(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form as `CreateFile` has them: `expires_after[seconds]=3600`. Raises `RequestError`."""
    nested: dict[str, Any] = {}
    for key, text in fields.items():
        found = _KEY.fullmatch(key)
        outer = nested.setdefault(found[1], {}) if found else None
        if found and isinstance(outer, dict):
            outer[found[2]] = int(text) if _NUMBER.fullmatch(text) else text
        else:
            nested[key] = text
    read(CREATE_FILE, nested)
    return nested


def safe_name(filename: str) -> str:
    """The last part of a path, without what cannot be seen, no longer than a file system takes."""
    name = re.split(r"[/\\]", filename)[-1]
    name = "".join(letter for letter in name if unicodedata.category(letter) not in _UNSOUND).strip()
    stem, dot, suffix = name.rpartition(".")
    while len(name.encode()) > _NAME_BYTES:
        stem, suffix = (stem[:-1], suffix) if stem else ("", suffix[1:])
        name = f"{stem}{dot}{suffix}"
    return "file" if name in ("", ".", "..") else name
