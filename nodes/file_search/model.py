"""The model of the local embedder: where it is kept, and how it gets there."""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2
import orjson

_FILES = ("model.onnx", "tokenizer.json")
_ABOUT = "about.json"
_MAKING = ".making-"
_PIECE_BYTES = 2**20
_MOST_BYTES = 2 * 2**30
_WAIT_S = 30.0


class NoModel(Exception):
    """A sentence that says what is the case and how to mend it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar.gz of a model in ONNX and its tokenizer."""

    url: str
    sha256: str
    #: That the model knows, as `words` names them.
    languages: Sequence[str] = ()


#: all-MiniLM-L6-v2 as Chroma converted it (Apache-2.0). Source: chromadb 1.5.9, `ONNXMiniLM_L6_V2`.
MINILM = Archive(
    "https://chroma-onnx-models.s3.amazonaws.com/all-MiniLM-L6-v2/onnx.tar.gz",
    "913d7300ceae3b2dbc2c50d1de4baacab4be7b9380491c27fab7418616a16ec3",
    ("english",),
)


@dataclass(frozen=True, slots=True)
class Model:
    """One that is there."""

    #: Absolute.
    directory: Path
    #: Changes with the model.
    digest: str
    #: Empty: of all, or it is not known.
    languages: Sequence[str]


def place(data_dir: Path) -> Path:
    return data_dir.absolute() / "embedding"


def model_in(data_dir: Path) -> Model:
    """The one that was put there last. Raises `NoModel`."""
    directory = place(data_dir)
    try:
        about = orjson.loads((directory / _ABOUT).read_bytes())
    except FileNotFoundError:
        raise NoModel(f"There is no embedding model in {directory}: run `graphnexus index model`.") from None
    return Model(directory, about["sha256"], about["languages"])


def fetch(data_dir: Path, say: Callable[[str], None], archive: Archive = MINILM) -> Model:
    """Blocks for as long as the download takes. Raises `NoModel`, `OSError`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=data_dir) as file:
        say(f"Fetching {archive.url} …")
        found = _download(archive.url, file)
        if found != archive.sha256:
            raise NoModel(f"What {archive.url} gives is not the model: its SHA-256 is {found}, not {archive.sha256}.")
        file.seek(0)
        return _kept(data_dir, lambda into: _unpack(file, into), archive.languages)


def take(data_dir: Path, given: Path, languages: Sequence[str] = ()) -> Model:
    """Any model that gives vectors of tokens, or of texts: a directory or a tar.gz with model.onnx and tokenizer.json.
    Raises `NoModel`, `OSError`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given.is_dir():
        return _kept(data_dir, lambda into: _copy(given, into), languages)
    with given.open("rb") as file:
        known = hashlib.file_digest(file, "sha256").hexdigest() == MINILM.sha256
        file.seek(0)
        return _kept(data_dir, lambda into: _unpack(file, into), MINILM.languages if known else languages)


def _download(url: str, into: BinaryIO) -> str:
    """Its SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with httpx2.stream("GET", url, timeout=_WAIT_S, follow_redirects=False) as answer:
            answer.raise_for_status()
            for piece in answer.iter_bytes(_PIECE_BYTES):
                digest.update(piece)
                into.write(piece)
                if (size := size + len(piece)) > _MOST_BYTES:
                    raise NoModel(f"{url} gives more than {_MOST_BYTES >> 30} GiB.")
    except httpx2.HTTPError as error:
        raise NoModel(f"{url} could not be fetched: {error}. `graphnexus index model PATH` takes a file.") from None
    return digest.hexdigest()


def _unpack(file: BinaryIO, into: Path) -> None:
    """Only what is wanted, wherever in the archive it lies."""
    try:
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if name in _FILES and member.isfile() and (content := archive.extractfile(member)):
                    with (into / name).open("wb") as out:
                        shutil.copyfileobj(content, out, _PIECE_BYTES)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise NoModel(f"The archive cannot be read: {error}.") from None


def _copy(given: Path, into: Path) -> None:
    for name in _FILES:
        if (given / name).is_file():
            shutil.copyfile(given / name, into / name)


def _kept(data_dir: Path, fill: Callable[[Path], None], languages: Sequence[str]) -> Model:
    """What was there before is replaced when this one is whole."""
    directory = place(data_dir)
    for litter in data_dir.glob(f"{_MAKING}*"):
        shutil.rmtree(litter, ignore_errors=True)
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=data_dir))
    try:
        fill(making)
        if missing := [name for name in _FILES if not (making / name).is_file()]:
            raise NoModel(f"There is no {' and no '.join(missing)} in it.")
        digest = hashlib.sha256()
        for name in _FILES:
            with (making / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        about = {"sha256": digest.hexdigest(), "languages": list(languages)}
        (making / _ABOUT).write_bytes(orjson.dumps(about))
        shutil.rmtree(directory, ignore_errors=True)
        making.rename(directory)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return model_in(data_dir)
