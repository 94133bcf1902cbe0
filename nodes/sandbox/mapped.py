"""Sandboxes without a file system of their own: `/mnt/data` and `/tmp` in code stand for directories of other names."""

import re
from collections.abc import AsyncIterator, Callable

from nodes.sandbox.port import FILES, Broken, Changes, Commanded, Output, Ran, Room, Sandbox, Sandboxes

_SCRATCH = "/tmp"  # noqa: S108
_NAMED = re.compile(rf"(?<![\w./-])({FILES}|{_SCRATCH})(?![\w.-])")
_ASKED_S = 10.0


class MappedSandboxes:
    """Fits `Sandboxes`: those of `inner`, in which code may say `/mnt/data` all the same."""

    def __init__(self, inner: Sandboxes) -> None:
        self.name = inner.name
        self._inner = inner

    async def problem(self) -> str | None:
        return await self._inner.problem()

    async def open(self, room: Room) -> Sandbox:
        sandbox = await self._inner.open(room)
        told = await sandbox.run_command('printf "%s\\n%s" "$FILES" "$TMPDIR"', _ASKED_S, lambda _kind, _text: None)
        files, _, scratch = told.stdout.partition("\n")
        if not (files and scratch):
            await sandbox.close()
            raise Broken("A sandbox does not know where its files are.")
        return _Mapped(sandbox, {FILES: files, _SCRATCH: scratch})

    async def close(self) -> None:
        await self._inner.close()


class _Mapped:
    """Names are replaced in code and commands as they are written, and put back in all that is said.

    A name that code puts together from pieces is not seen.
    """

    def __init__(self, inner: Sandbox, names: dict[str, str]) -> None:
        self._inner = inner
        self._names = names

    @property
    def alive(self) -> bool:
        return self._inner.alive

    async def run_code(self, code: str, timeout_s: float, listen: Callable[[Output], None]) -> Ran:
        ran = await self._inner.run_code(self._there(code), timeout_s, lambda output: listen(self._said(output)))
        return Ran([self._said(output) for output in ran.outputs], ran.stopped)

    async def run_command(self, command: str, timeout_s: float, listen: Callable[[str, str], None]) -> Commanded:
        there = self._there(command)
        done = await self._inner.run_command(there, timeout_s, lambda kind, text: listen(kind, self._here(text)))
        return Commanded(self._here(done.stdout), self._here(done.stderr), done.exit_code)

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        await self._inner.put(path, chunks)

    def get(self, path: str) -> AsyncIterator[bytes]:
        return self._inner.get(path)

    async def remove(self, path: str) -> None:
        await self._inner.remove(path)

    async def changes(self) -> Changes:
        return await self._inner.changes()

    async def save(self) -> bytes | None:
        return await self._inner.save()

    async def load(self, saved: bytes) -> None:
        await self._inner.load(saved)

    async def close(self) -> None:
        await self._inner.close()

    def _there(self, text: str) -> str:
        return _NAMED.sub(lambda name: self._names[name[1]], text)

    def _here(self, text: str) -> str:
        for name, real in self._names.items():
            text = text.replace(real, name)
        return text

    def _said(self, output: Output) -> Output:
        return Output(output.kind, self._here(output.value)) if output.kind == "logs" else output
