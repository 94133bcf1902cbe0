"""Webhooks: others are told how background responses ended, signed as OpenAI signs them (Standard Webhooks)."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import httpx2
import orjson
from standardwebhooks import Webhook

logger = logging.getLogger(__name__)

#: `taken`: it need not be told again. `gone`: it does not want to be told any more. `again`: it was not told.
Answer = Literal["taken", "gone", "again"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that is to be told of `events` (`response.completed` …). `secret`: `whsec_` and Base64."""

    url: str
    secret: str
    events: Collection[str]


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way to one address; the same at every attempt, but for the time and the signature."""

    id: str
    url: str
    body: str


class Webhooks:
    """Two endpoints of one address are one that is signed to with both secrets, so that a secret can be changed."""

    def __init__(self, endpoints: Sequence[Endpoint], timeout_s: float = 15.0) -> None:
        """`timeout_s`: how long an attempt may take in all."""
        self._endpoints: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            self._endpoints.setdefault(endpoint.url, []).append(endpoint)
        self._timeout_s = timeout_s
        self._client: httpx2.AsyncClient | None = None

    def __bool__(self) -> bool:
        return bool(self._endpoints)

    def messages(self, response_id: str, status: str, ended_at: int) -> list[Message]:
        """What is to be sent when a response has ended. The ids follow from the response's."""
        type, seed = f"response.{status}", response_id.partition("_")[2]
        event = {"id": f"evt_{seed}", "object": "event", "created_at": ended_at, "type": type}
        body = orjson.dumps({**event, "data": {"id": response_id}}).decode()
        listening = [url for url, those in self._endpoints.items() if any(type in each.events for each in those)]
        return [Message(f"wh_{seed}", url, body) for url in listening]

    async def send(self, message: Message) -> Answer:
        """One attempt. An address that no setting names any more is `gone`."""
        endpoints = self._endpoints.get(message.url)
        if endpoints is None:
            return "gone"
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._post(message, _signed(message, [endpoint.secret for endpoint in endpoints]))
        except (httpx2.HTTPError, TimeoutError) as error:
            logger.info("A webhook could not be sent", extra={"webhook_id": message.id, "error": type(error).__name__})
            return "again"
        if 200 <= status < 300:
            return "taken"
        logger.info("A webhook was refused", extra={"webhook_id": message.id, "status": status})
        return "gone" if status == 410 else "again"

    async def _post(self, message: Message, headers: dict[str, str]) -> int:
        """The status it was answered with; what the answer says is not read."""
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=self._timeout_s, follow_redirects=False)
        async with self._client.stream("POST", message.url, content=message.body, headers=headers) as answer:
            return answer.status_code

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _signed(message: Message, secrets: Sequence[str]) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "GraphNexus",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message.id, now, message.body) for secret in secrets),
    }
