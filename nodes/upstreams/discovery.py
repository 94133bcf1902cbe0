"""Model servers that run on this machine without having been named."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from nodes.upstreams.backend import Backend
from nodes.upstreams.upstream import Patience, Upstream

#: Where they listen unless told otherwise.
KNOWN = (
    Upstream("http://127.0.0.1:11434/v1", name="Ollama"),
    Upstream("http://127.0.0.1:1234/v1", name="LM Studio"),
    Upstream("http://127.0.0.1:8080/v1", name="llama.cpp"),
    Upstream("http://127.0.0.1:8000/v1", name="vLLM"),
)
#: What we say of a model that is our own, so that two of us do not find each other.
OWNER = "graphnexus"


async def discover(
    own_port: int | None, candidates: Sequence[Upstream] = KNOWN, timeout_s: float = 0.3
) -> list[Upstream]:
    """Those of `candidates` that list models, in order; the one at our own port is left out.

    Asked all at once, so it takes `timeout_s` at most, and the import of the libraries when it is the first.
    """
    others = [one for one in candidates if urlsplit(one.url).port != own_port]
    found = await asyncio.gather(*(_is_there(one, timeout_s) for one in others))
    return [one for one, there in zip(others, found, strict=True) if there]


async def _is_there(upstream: Upstream, timeout_s: float) -> bool:
    backend = Backend(upstream, replace(Patience(), connect_s=timeout_s, list_timeout_s=timeout_s))
    try:
        await backend.list_models()
    finally:
        await backend.close()
    listed = (backend.listed or {}).values()
    return any(entry.get("owned_by") != OWNER for entry in listed)
