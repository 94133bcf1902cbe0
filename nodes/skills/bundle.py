"""A skill as it is uploaded: a zip, or files with paths; checked, and packed anew.

Source: the Agent Skills format (SKILL.md with `name` and `description` as YAML front matter).
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from graph.errors import RequestError

#: Of one skill, unpacked.
FILES, BYTES = 500, 50 << 20
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME_CHARS, _ABOUT_CHARS, _FRONT_CHARS, _PATH_CHARS = 64, 1024, 16_384, 240
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_SYMLINK, _KIND = 0o120000, 0o170000
_MAIN = "SKILL.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """`files` by path; `SKILL.md` is among them, at the top."""

    name: str
    description: str
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "Bundle":
        """Of files with paths, perhaps all in one folder. Takes time for large ones. Raises `RequestError`."""
        top = _without_folder({_path(path): content for path, content in files.items()})
        folded = {path.casefold() for path in top}
        if len(folded) != len(top):
            raise _wrong("Two files have paths that differ in case only.")
        if _MAIN not in top:
            raise _wrong(f"There is no {_MAIN} at the top of the skill.")
        name, description = _front_of(top[_MAIN])
        return cls(name, description, top)

    @classmethod
    def of_zip(cls, content: bytes) -> "Bundle":
        """Raises `RequestError`."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                return cls.of(dict(_unpacked(packed)))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
            raise _wrong(f"The zip cannot be read: {str(error)[:200]}.") from error

    def packed(self) -> bytes:
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as packed:
            for path, content in sorted(self.files.items()):
                packed.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
        return whole.getvalue()


def _unpacked(packed: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Files one after the other, no more of them than a skill may have, whatever the zip says of itself."""
    left = BYTES
    entries = [entry for entry in packed.infolist() if not entry.is_dir()]
    if len(entries) > FILES:
        raise _wrong(f"A skill has at most {FILES} files.")
    for entry in entries:
        if (entry.external_attr >> 16) & _KIND == _SYMLINK:
            raise _wrong(f"'{entry.filename[:100]}' is a link; a skill has files only.")
        with packed.open(entry) as file:
            content = file.read(left + 1)
        left -= len(content)
        if left < 0:
            raise _wrong(f"A skill has at most {BYTES >> 20} MiB.")
        yield entry.filename, content


def _path(given: str) -> str:
    path = given.replace("\\", "/")
    parts = path.split("/")
    unsound = any(part in ("", ".", "..") for part in parts) or not path.isprintable() or ":" in parts[0]
    if unsound or len(path) > _PATH_CHARS:
        raise _wrong(f"'{given[:100]}' is no path within a skill.")
    return path


def _without_folder(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Without the folder they are all in."""
    if _MAIN in files:
        return files
    folders = {path.partition("/")[0] for path in files}
    if len(folders) != 1:
        return files
    return {path.partition("/")[2]: content for path, content in files.items() if "/" in path}


def _front_of(content: bytes) -> tuple[str, str]:
    found = _FRONT.match(content[:_FRONT_CHARS].decode(errors="replace"))
    if found is None:
        raise _wrong(f"{_MAIN} does not begin with front matter between two lines '---'.")
    try:
        said: Any = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise _wrong(f"The front matter of {_MAIN} is no YAML: {str(error)[:200]}.") from error
    name, description = (said.get(key) if isinstance(said, dict) else None for key in ("name", "description"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _NAME_CHARS:
        raise _wrong(f"`name` in {_MAIN} must be small letters, digits and hyphens, {_NAME_CHARS} at most.")
    if not isinstance(description, str) or not 0 < len(description.strip()) <= _ABOUT_CHARS:
        raise _wrong(f"`description` in {_MAIN} must be a text of at most {_ABOUT_CHARS} characters.")
    return name, " ".join(description.split())


def _wrong(message: str) -> RequestError:
    return RequestError(message, param="files", code="invalid_value")
