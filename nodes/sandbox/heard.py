"""What a sandbox says while it works, as outputs: bounded, and fit to be kept."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from nodes.sandbox.port import Output

#: Of the text of one call; the runner leaves out the middle before.
TEXT_CHARS = (1 << 20) + (1 << 12)
_IMAGE_CHARS, _IMAGES_CHARS = 4 << 20, 16 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


class HeardOutputs:
    """The outputs of code."""

    def __init__(self, listen: Callable[[Output], None]) -> None:
        self._listen = listen
        self._said: list[tuple[str, list[str]]] = []
        self._room = TEXT_CHARS
        self._images_room = _IMAGES_CHARS

    def hear(self, frame: dict[str, Any]) -> None:
        if text := as_text(frame.get("logs"), self._room):
            self.log(text)
        if frame.get("lost"):
            self.log("[The interpreter had ended: the variables of earlier calls are lost.]\n")
        image = frame.get("image")
        if isinstance(image, str) and len(image) <= self._images_room and is_png(image):
            self._images_room -= len(image) + 1
            self._said.append(("image", [image]))
            self._listen(Output("image", image))

    def log(self, text: str) -> None:
        self._room -= len(text)
        if not self._said or self._said[-1][0] != "logs":
            self._said.append(("logs", []))
        self._said[-1][1].append(text)
        self._listen(Output("logs", text))

    def outputs(self) -> list[Output]:
        return [Output("image" if kind == "image" else "logs", "".join(parts)) for kind, parts in self._said]


class HeardStreams:
    """What a command writes."""

    def __init__(self, listen: Callable[[str, str], None]) -> None:
        self._listen = listen
        self._said: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._room = TEXT_CHARS * 2

    def hear(self, frame: dict[str, Any]) -> None:
        for name, said in self._said.items():
            if text := as_text(frame.get(name), self._room):
                self._room -= len(text)
                said.append(text)
                self._listen(name, text)

    def text(self, name: str) -> str:
        return "".join(self._said[name])


def as_text(said: object, room: int) -> str:
    """Text without what databases and terminals choke on."""
    if not isinstance(said, str) or room <= 0:
        return ""
    return said[:room].replace("\0", "\N{REPLACEMENT CHARACTER}")


def is_png(said: str) -> bool:
    """Whether it is a picture in base64, of a size that can be shown."""
    if len(said) > _IMAGE_CHARS:
        return False
    try:
        return base64.b64decode(said, validate=True).startswith(_PNG)
    except (binascii.Error, ValueError):
        return False
