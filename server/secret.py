"""The key that seals what callers carry away: configured, or made once and kept beside the data."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

SEALING_FILE = "secret.key"


def sealing_key(configured: str | None, directory: Path) -> bytes:
    """32 bytes, the same at every start. Reads a file, and makes it (mode 600) when it is missing."""
    material = configured.encode() if configured else _kept(directory / SEALING_FILE)
    return hashlib.blake2b(material, digest_size=32, person=b"graphnexus-seal").digest()


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
