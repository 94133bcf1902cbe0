"""The key that seals what callers carry away: configured, or made once and kept beside the data."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from checkpoints import Facts
from graph.seal import Seal
from server.settings import BadSetting, Settings

SEALING_FILE = "secret.key"
#: What a database keeps to know the key by.
_FACT = "sealed_with"


def sealing_key(configured: str | None, directory: Path) -> bytes:
    """32 bytes, the same at every start. Reads a file, and makes it (mode 600) when it is missing."""
    material = configured.encode() if configured else _kept(directory / SEALING_FILE)
    return hashlib.blake2b(material, digest_size=32, person=b"graphnexus-seal").digest()


def seal_of(settings: Settings) -> Seal:
    configured = settings.secret_key.get_secret_value() if settings.secret_key else None
    return Seal(sealing_key(configured, settings.directory))


async def check_seal(settings: Settings, facts: Facts) -> None:
    """Raises `BadSetting` when the database was first used with another key: replicas open what others sealed."""
    seal = seal_of(settings)
    if not _opens(seal, await facts.settle(_FACT, seal.close({}))):
        where = "secret_key" if settings.secret_key else f"{settings.directory / SEALING_FILE}"
        raise BadSetting(
            f"secret_key: {where} is not the key that {settings.database} was first used with: give every replica the "
            "same GRAPHNEXUS_SECRET_KEY"
        )


async def knows_seal(settings: Settings, facts: Facts) -> bool | None:
    """Whether the key is the one the database was first used with; None when it was used with none yet."""
    proof = await facts.find(_FACT)
    return None if proof is None else _opens(seal_of(settings), proof)


def _opens(seal: Seal, proof: str) -> bool:
    return seal.open(proof) is not None


def _kept(path: Path) -> bytes:
    """Whoever links the file first has made it; a second process starting now reads that one, whole."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent) as fresh:  # mode 600
            fresh.write(secrets.token_bytes(32))
            fresh.flush()
            with contextlib.suppress(FileExistsError):
                os.link(fresh.name, path)
    return path.read_bytes()
