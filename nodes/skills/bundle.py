"""A skill as it is uploaded: a zip, or files with paths; checked, and packed anew.

Source: the Agent Skills format (SKILL.md with `name` and `description` as YAML front matter).
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from graph.errors import RequestError

#: Of one skill, unpacked.
FILES, BYTES = 500, 50 << 20
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
#: Entries of a zip: folders and what is passed over count too; each costs memory before it is looked at.
_ENTRIES = 5_000
_NAME_CHARS, _ABOUT_CHARS, _FRONT_CHARS, _PATH_BYTES = 64, 1024, 16_384, 240
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
#: What operating systems put beside the files of a folder.
_LITTER = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$)")
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: What zipfile and yaml raise of what is wrong, beside their own.
_WRONG_ZIP = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError, OverflowError)
_WRONG_YAML = (yaml.YAMLError, ValueError, RecursionError, AttributeError, LookupError, OverflowError)
#: Control characters, and halves of characters.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MAIN = "SKILL.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """`files` by path; `SKILL.md` is among them, at the top."""

    name: str
    description: str
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, files: Iterable[tuple[str, bytes]]) -> "Bundle":
        """Of files with paths, perhaps all in one folder. Takes time for large ones. Raises `RequestError`."""
        sent = [(_path(path), content) for path, content in files if not _LITTER.search(path)]
        _check_apart([path for path, _ in sent])
        top = _without_folder(dict(sent))
        if _MAIN not in top:
            raise _wrong(f"There is no {_MAIN} at the top of the skill.")
        name, description = _front_of(top[_MAIN])
        return cls(name, description, top)

    @classmethod
    def of_zip(cls, content: bytes) -> "Bundle":
        """Raises `RequestError`."""
        if len(content) > BYTES or content.count(b"PK\1\2") > _ENTRIES:
            raise _wrong(f"A zip has at most {BYTES >> 20} MiB and {_ENTRIES} entries.")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                return cls.of(_unpacked(packed))
        except _WRONG_ZIP as error:
            raise _wrong("The zip cannot be read.") from error

    def packed(self) -> bytes:
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as packed:
            for path, content in sorted(self.files.items()):
                packed.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
        return whole.getvalue()


def _unpacked(packed: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Files one after the other, no more of them than a skill may have, whatever the zip says of itself."""
    left = BYTES
    entries = [entry for entry in packed.infolist() if not entry.is_dir() and not _LITTER.search(entry.filename)]
    if len(entries) > FILES:
        raise _wrong(f"A skill has at most {FILES} files.")
    for entry in entries:
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _wrong(f"'{entry.filename[:100]}' is a link or a device; a skill has files only.")
        if entry.compress_type not in _READ:
            raise _wrong(f"'{entry.filename[:100]}' is packed in a way that is not read here.")
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
    if unsound or len(path.encode()) > _PATH_BYTES:
        raise _wrong(f"{given[:100]!a} is no path within a skill.")
    return path


def _check_apart(paths: Sequence[str]) -> None:
    """No file stands in the place of another one or of a folder, also where case does not count."""
    taken = {str(folder).casefold() for path in paths for folder in PurePosixPath(path).parents}
    for path in paths:
        if path.casefold() in taken:
            raise _wrong(f"'{path[:100]}' stands in the way of another file, which may differ in case only.")
        taken.add(path.casefold())


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
    except _WRONG_YAML as error:
        raise _wrong(f"The front matter of {_MAIN} is no YAML that can be read.") from error
    name, description = (said.get(key) if isinstance(said, dict) else None for key in ("name", "description"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _NAME_CHARS:
        raise _wrong(f"`name` in {_MAIN} must be small letters, digits and hyphens, {_NAME_CHARS} at most.")
    about = " ".join(description.split()) if isinstance(description, str) else ""
    if not 0 < len(about) <= _ABOUT_CHARS or _UNFIT.search(about):
        raise _wrong(f"`description` in {_MAIN} must be a text of at most {_ABOUT_CHARS} characters.")
    return name, about


def _wrong(message: str) -> RequestError:
    return RequestError(message, param="files", code="invalid_value")
