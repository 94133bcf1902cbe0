"""One model at one or several upstreams: the least busy one answers, the next when it cannot be reached."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from graph.errors import Json, UpstreamError
from graph.ports import Profile, Prompt, Sink
from nodes.upstreams.again import NotNow, patiently
from nodes.upstreams.backend import Backend


class Balanced:
    """Fits `Model`."""

    def __init__(self, name: str, backends: Sequence[Backend]) -> None:
        self._name = name
        self._backends = backends

    async def answer(self, prompt: Prompt, sink: Sink) -> None:
        await patiently(lambda: self._through(prompt, sink))

    async def profile(self, *, json_schema: bool = False) -> Profile:
        """What all servers of the model can do: any of them may be the one that answers."""
        models = [await backend.model(self._name) for backend in self._backends]
        known = [await model.profile(json_schema=json_schema) for model in models]
        lengths = [length for backend in self._backends if (length := backend.context_tokens(self._name))]
        return Profile(
            json_schema=all(one.json_schema for one in known),
            tools=all(one.tools for one in known),
            developer_role=all(one.developer_role for one in known),
            context_tokens=min(lengths, default=None),
        )

    async def count_tokens(self, prompt: Prompt) -> int:
        """By asking for an answer of one token: the only count that every server has."""
        usage = _Usage()
        await self.answer(replace(prompt, options={**prompt.options, "max_tokens": 1, "stream": False}), usage)
        if usage.prompt_tokens is None:
            raise UpstreamError(f"The model server of '{self._name}' does not say how many tokens a prompt has.")
        return usage.prompt_tokens

    async def _through(self, prompt: Prompt, sink: Sink) -> None:
        """Ask the servers one after the other, until one is there."""
        failed: list[NotNow] = []
        for backend in sorted(self._backends, key=Backend.burden):
            try:
                with backend.busy():
                    model = await backend.model(self._name)
                    return await model.attempt(prompt, sink)
            except NotNow as error:
                backend.shun(error)
                failed.append(error)
        raise failed[0]


class _Usage:
    """A sink that hears only how long the prompt was."""

    prompt_tokens: int | None = None

    def accepted(self) -> None:
        """Nothing waits for it."""

    def feed(self, chunk: Json) -> None:
        usage = cast(dict[str, Any], chunk.get("usage") or {})
        self.prompt_tokens = usage.get("prompt_tokens", self.prompt_tokens)
