"""What models and items are told of what was said and made in a container."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from graph.containers import ContainerFile
from graph.errors import Json

#: Files the model is told of by name.
_NAMED = 20
#: Characters of what is said of what is left out.
_NOTE = 60


@dataclass(frozen=True, slots=True)
class Limits:
    timeout_s: float
    #: Characters the model reads of what was said, and characters the item keeps.
    reply_chars: int = 30_000
    logs_chars: int = 200_000
    #: Characters of pictures, in base64, that the item keeps; the others are only files.
    image_chars: int = 8_000_000


def shortened(text: str, chars: int) -> str:
    """The beginning and the end of a text that is too long: errors stand at the end."""
    if len(text) <= chars:
        return text
    if chars < 2 * _NOTE:
        return text[len(text) - chars :]
    half = (chars - _NOTE) // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[len(text) - half :]}"


def cited(file: ContainerFile) -> Json:
    """As `ports.Outcome.made` has it."""
    name = PurePosixPath(file.path).name
    return {"container_id": file.container_id, "file_id": file.id, "filename": name, "path": file.path}


def lost() -> str:
    return "[The variables of earlier calls were lost with their sandbox; the files are there.]"


def files_told(files: Sequence[ContainerFile], notes: Sequence[str]) -> Iterator[str]:
    """What became of the files, in lines."""
    yield from (f"[{note}]" for note in notes)
    if files:
        named = ", ".join(f"{file.path} ({file.size_bytes} bytes)" for file in files[:_NAMED])
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        yield f"[Files made or changed: {named}{more}]"
