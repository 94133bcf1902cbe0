"""A server of the Responses API as the target of a run."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from openai import APIConnectionError, APIError, AsyncOpenAI

from evals.environment import variable
from evals.solving.conversation import Conversation
from evals.solving.given import Supplies
from evals.solving.hiding import NO_KEY, hide
from evals.solving.mcp_servers import McpServers
from evals.solving.question import Questions
from evals.solving.shelf import Shelf
from evals.suite.schema import Case, Target
from evals.transcript import Transcript, used
from evals.unfit import Unfit

DEFAULT = "http://127.0.0.1:8000/v1"
#: Seconds a server may take over one request.
_LIMIT_S = 600


class ServerTarget:
    def __init__(self, client: AsyncOpenAI, model: str | None, supplies: Supplies) -> None:
        self._client = client
        self._supplies = supplies
        self.model = model

    @classmethod
    @asynccontextmanager
    async def opened(cls, target: Target, directory: str) -> AsyncGenerator[Self]:
        """Raises `Unfit`."""
        url = target.url or variable("OPENAI_BASE_URL") or DEFAULT
        key = variable(target.api_key_env) or NO_KEY
        async with (
            AsyncOpenAI(base_url=url, api_key=key, timeout=_LIMIT_S) as client,
            McpServers.opened() as servers,
            Shelf.opened(client, directory) as shelf,
        ):
            model = target.model or await _first_model(client, url)
            yield cls(client, model, Supplies(shelf, servers))

    @property
    def shown(self) -> str:
        return shown(str(self._client.base_url))

    async def attempt(self, case: Case, run: str, epoch: int) -> Transcript:
        transcript = Transcript(case=case.id, epoch=epoch)
        questions = Questions(self._client, f"{run}/{case.id}/{epoch}")
        try:
            async with asyncio.timeout(case.timeout_s):
                given = await self._supplies.given(case)
                await _asked(transcript, Conversation(questions, case, self.model or "", given))
        except TimeoutError:
            await questions.stop()
            transcript.fault = f"The case took longer than {case.timeout_s:g} s."
        except APIConnectionError as error:
            transcript.fault = f"The server cannot be reached: {error.__cause__ or error}."
        except (APIError, Unfit, OSError, ValueError) as error:  # ValueError: what it says is no JSON
            transcript.fault = str(error)
        transcript.usage = used(transcript.turns)
        hide(transcript, self._client.api_key)
        return transcript


async def _asked(transcript: Transcript, talk: Conversation) -> None:
    try:
        await talk.hold(transcript)
        await talk.tell(transcript)
    finally:
        await talk.close()


async def _first_model(client: AsyncOpenAI, url: str) -> str:
    try:
        found = await client.models.list()
    except APIError as error:
        raise Unfit(f"The server {shown(url)} does not list its models ({error}): start it, or name --url.") from error
    if not found.data:
        raise Unfit(f"The server {shown(url)} has no models: name one with --model.")
    return found.data[0].id


def shown(url: str) -> str:
    """An address without what is secret in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
