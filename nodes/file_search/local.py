"""An embedder of our own: a small model in a process beside the server, which ends with it."""

import asyncio
import os
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import orjson

from graph.errors import UpstreamError
from nodes.file_search.model import Model

_PROCESS = str(Path(__file__).with_name("local_process.py"))
_LENGTH = struct.Struct("<I")
#: So many are made at once, and a question waits for no more.
_TEXTS = 8
_THREADS = max(1, min(4, (os.cpu_count() or 1) // 2))
#: What sentence-transformers reads of a text with this model.
_TOKENS = 256
_LIMIT_S = 60.0


class LocalEmbedder:
    """Fits `port.Embedder`. The process is started by the first text; one that dies, by the next."""

    def __init__(self, model: Model, languages: Collection[str] = ()) -> None:
        """`languages`: those the operator says it knows."""
        self._model = model
        self._languages = languages or model.languages
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._asking = set[asyncio.Task[list[bytes]]]()

    @property
    def space(self) -> str:
        return f"local-{self._model.digest[:16]}"

    @property
    def languages(self) -> Collection[str] | None:
        return self._languages or None

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[bytes]:
        """See `port.Embedder`. Several may ask; they take turns."""
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # like with like: they are padded
        vectors = dict[int, bytes]()
        for begin in range(0, len(order), _TEXTS):
            some = order[begin : begin + _TEXTS]
            vectors.update(zip(some, await self._made([texts[at] for at in some]), strict=True))
        return [vectors[at] for at in range(len(texts))]

    async def close(self) -> None:
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await self._end()

    async def _made(self, texts: Sequence[str]) -> list[bytes]:
        """An answer that was asked for is heard, also when whoever asked has gone: the next would get it otherwise."""
        asking = asyncio.create_task(self._asked(texts))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return await asyncio.shield(asking)

    async def _asked(self, texts: Sequence[str]) -> list[bytes]:
        async with self._turn:
            try:
                async with asyncio.timeout(_LIMIT_S):
                    said = await self._exchange(orjson.dumps(texts))
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                await self._end()
                raise UpstreamError("The local embedding model has not answered.") from None
        if said[0]:
            reason = said[1:].decode(errors="replace")
            raise UpstreamError(f"The local embedding model cannot be used: {reason}.")
        size = (len(said) - 1) // len(texts)
        return [said[at : at + size] for at in range(1, len(said), size)]

    async def _exchange(self, asked: bytes) -> bytes:
        if self._process and cast(asyncio.StreamWriter, self._process.stdin).is_closing():
            await self._end()  # it is dying; uvloop raises a RuntimeError when it is written to
        if self._process is None or self._process.returncode is not None:
            self._process = await self._started()
        into = cast(asyncio.StreamWriter, self._process.stdin)  # they were asked to be pipes
        out = cast(asyncio.StreamReader, self._process.stdout)
        into.write(_LENGTH.pack(len(asked)) + asked)
        await into.drain()
        (length,) = _LENGTH.unpack(await out.readexactly(_LENGTH.size))
        return await out.readexactly(length)

    async def _started(self) -> Process:
        order = {
            "directory": str(self._model.directory),
            "threads": _THREADS,
            "tokens": _TOKENS,
            "parent": os.getpid(),
        }
        return await asyncio.create_subprocess_exec(
            *_line(orjson.dumps(order).decode()),
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", start_new_session=True,
            env={"TOKENIZERS_PARALLELISM": "false"},
        )  # fmt: skip

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _line(order: str) -> Sequence[str]:
    """`-I -S`: without looking around."""
    return [sys.executable, "-I", "-S", _PROCESS, order, *(str(Path(path).absolute()) for path in sys.path)]
