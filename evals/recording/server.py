"""The server whose stored runs are recorded, or which makes recorded ones again."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from evals.environment import variable
from evals.solving.server import DEFAULT, shown
from evals.unfit import Unfit

Json = dict[str, Any]
#: Seconds a server may take over one request.
_LIMIT_S = 600


@asynccontextmanager
async def opened(url: str | None, key: str | None) -> AsyncGenerator[AsyncOpenAI]:
    """Failures on the way are told as `Unfit`."""
    address = url or variable("OPENAI_BASE_URL") or DEFAULT
    secret = key or variable("OPENAI_API_KEY") or "none"
    try:
        async with AsyncOpenAI(base_url=address, api_key=secret, timeout=_LIMIT_S) as client:
            yield client
    except APIConnectionError as error:
        raise Unfit(f"{shown(address)} cannot be reached: start the server, or name another one with --url.") from error
    except APIStatusError as error:
        raise Unfit(f"{shown(address)} answers {error.status_code}: {said(error)}") from error


def said(error: APIStatusError) -> str:
    """What the server gave as its reason."""
    body: Any = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)
