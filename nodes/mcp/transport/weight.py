"""How heavy JSON is, told before it is parsed: 16 MB of `[],` would be 400 MB of lists, and seconds of the loop."""

import asyncio
from itertools import accumulate

from nodes.mcp.limits import Limits

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = [{ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}.get(byte, 0) for byte in range(256)]
_PIECE_BYTES = 65536


class TooHeavy(Exception):
    """The JSON holds too many values, or they stand too deep in one another."""


class Scale:
    """Weighs one JSON text, piece by piece. Text that is no JSON has some weight, too."""

    def __init__(self, limits: Limits) -> None:
        self._values_left = limits.answer_values
        self._deepest = limits.answer_depth
        self._depth = 0
        self._in_string = False
        #: A backslash at the end of the last piece, which belongs to what follows.
        self._carried = b""

    def take(self, piece: bytes) -> None:
        """Raises `TooHeavy`."""
        piece = (self._carried + piece).replace(b"\\\\", b"")
        self._carried = b"\\" if piece.endswith(b"\\") else b""
        parts = piece.replace(b'\\"', b"").split(b'"')
        bare = b"".join(parts[self._in_string :: 2])
        self._in_string ^= len(parts) % 2 == 0
        self._values_left -= bare.count(b",") + bare.count(b"[") + bare.count(b"{")
        if self._values_left < 0:
            raise TooHeavy
        brackets = bare.translate(None, _NO_BRACKETS)
        if brackets:
            *depths, self._depth = accumulate(map(_STEP.__getitem__, brackets), initial=self._depth)
            if max(*depths, self._depth) > self._deepest:
                raise TooHeavy


async def weigh(text: bytes, limits: Limits) -> None:
    """Raises `TooHeavy`. Others run in between."""
    scale = Scale(limits)
    for at in range(0, len(text), _PIECE_BYTES):
        scale.take(text[at : at + _PIECE_BYTES])
        if at:
            await asyncio.sleep(0)
