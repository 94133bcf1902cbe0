"""What a client carries for us: readable by this server only, and refused when changed.

Reasoning and compaction travel as `encrypted_content` through clients that keep their own history.
"""

import base64

import orjson
from cryptography.fernet import Fernet, InvalidToken

from graph.errors import Json


class Seal:
    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes."""
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def close(self, content: Json) -> str:
        return self._fernet.encrypt(orjson.dumps(content)).decode()

    def open(self, sealed: str) -> Json | None:
        """The content; None when it was sealed elsewhere, or changed on its way."""
        try:
            return orjson.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError):
            return None
