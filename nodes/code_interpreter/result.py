"""What code has said and made, as the item shows it and as the model reads it."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graph.containers import ContainerFile
from graph.errors import Json
from nodes.container.telling import Limits, cited, files_told, lost, shortened
from nodes.sandbox.port import Output


@dataclass(slots=True)
class Result:
    outputs: Sequence[Output]
    #: Why it did not come to its own end.
    stopped: str | None
    #: Whether variables of earlier calls were not there any more.
    lost: bool
    #: Files made or changed, and those that pictures became, in their order.
    files: list[ContainerFile] = field(default_factory=list[ContainerFile])
    plots: list[ContainerFile] = field(default_factory=list[ContainerFile])
    #: What else there is to know of the files, in sentences.
    notes: Sequence[str] = ()

    @property
    def pictures(self) -> Iterator[bytes]:
        return (base64.b64decode(output.value) for output in self.outputs if output.kind == "image")

    def held(self, limits: Limits) -> Json:
        """`outputs` of the item; pictures as data URLs, as recorded traffic of the API has them."""
        return {"outputs": list(self._shown(limits))}

    def made(self) -> list[Json]:
        return [cited(file) for file in (*self.files, *self.plots)]

    def reply(self, limits: Limits) -> str:
        logs = shortened("".join(self._texts()), limits.reply_chars).rstrip()
        return "\n".join(line for line in (*self._before(), logs, *self._after()) if line) or "(no output)"

    def _shown(self, limits: Limits) -> Iterator[Json]:
        logs, images = limits.logs_chars, limits.image_chars
        for kind, value in self.outputs:
            if kind == "logs":
                yield {"type": "logs", "logs": shortened(value, max(0, logs))}
                logs -= len(value)
            elif (images := images - len(value)) >= 0:
                yield {"type": "image", "url": f"data:image/png;base64,{value}"}
        if self.stopped:
            yield {"type": "logs", "logs": self.stopped}

    def _texts(self) -> Iterator[str]:
        number = 0
        for kind, value in self.outputs:
            if kind == "logs":
                yield value
            else:
                path = self.plots[number].path if number < len(self.plots) else "not kept"
                yield f"\n[A picture, shown to the user: {path}]\n"
                number += 1

    def _before(self) -> Iterator[str]:
        if self.lost:
            yield lost()

    def _after(self) -> Iterator[str]:
        if self.stopped:
            yield f"[{self.stopped}]"
        yield from files_told(self.files, self.notes)
