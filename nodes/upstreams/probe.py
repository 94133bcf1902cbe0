"""What a model server turned out to be able to do: learned from its refusals, and by one question on JSON schemas."""

import logging
import re
import secrets
from collections.abc import Sequence
from typing import Any, Literal, cast

import orjson

from graph.errors import Json
from graph.ports import Profile, Prompt
from nodes.upstreams import failures
from nodes.upstreams.upstream import Upstream

logger = logging.getLogger(__name__)

#: Fields a request still means the same without; nothing else is ever left out.
_HINTS = ("stream_options", "parallel_tool_calls", "logprobs", "top_logprobs", "reasoning_effort", "verbosity", "user",
          "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier")  # fmt: skip
_UNSUPPORTED = re.compile(
    r"un(supported|known|recogni[sz]ed|expected|available)|not (support|permit|allow|recogni|implement|available)"
    r"|does ?n[o']t support|only supported|extra (input|field)|additional propert|cannot be used",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"system (message|role|prompt|instruction)|role.{0,10}system|roles must alternate|(unexpected|invalid) role", re.I
)
_TOOLS = re.compile(r"\btools?\b|function calling|tool[_-]call", re.I)
_PROBE_TOKENS = 256


class Learned:
    """What is known of one model at one upstream. Grows while the server runs; lost with it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        #: Whether answers are held to a `response_format` of type `json_schema`; None until asked.
        self.json_schema: bool | None = True if upstream.openai else None
        self.tools = True
        #: Where system messages may stand: anywhere, only first, or nowhere (told as the user's words).
        self.system: Literal["anywhere", "first", "never"] = "anywhere"
        self.refused: set[str] = set()

    def profile(self) -> Profile:
        return Profile(bool(self.json_schema), self.tools, developer_role=self._upstream.openai)

    def body(self, prompt: Prompt) -> Json:
        """The request for `prompt`, without what the server is known to refuse."""
        body: Json = {"model": prompt.model, "messages": self._messages(prompt.messages)}
        if prompt.tools:
            body["tools"] = list(prompt.tools)
        body |= {"stream": True, **prompt.options}
        if body["stream"]:
            body["stream_options"] = {"include_usage": True}
        if self._upstream.openai and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        for name in self.refused:
            body.pop(name, None)
        return body

    def learn(self, status: int, refusal: object, prompt: Prompt) -> bool:
        """Take in a refusal; true when the request should be made again, because it will be another one."""
        said = failures.message_of(refusal)
        if status in (400, 422, 501) and self._drops(refusal, said, prompt):
            return True
        if status in (400, 422, 500) and _SYSTEM.search(said) and self.system != "never":
            self.system = "first" if self.system == "anywhere" else "never"
            self._note("system messages may stand", self.system)
            return True
        if status in (400, 422, 501) and prompt.tools and _TOOLS.search(said) and _UNSUPPORTED.search(said):
            self.tools = False
        return False

    def _drops(self, refusal: object, said: str, prompt: Prompt) -> bool:
        sent = {*prompt.options, "stream_options"} - self.refused
        param = failures.error_fields(refusal).get("param")
        named = [
            name for name in _HINTS
            if name in sent and (name == param or re.search(rf"(?<![\w]){name}(?![\w])", said))
        ]  # fmt: skip
        if not named or not _UNSUPPORTED.search(said):
            return False
        if "logprobs" in named:
            named.append("top_logprobs")
        self.refused.update(named)
        self._note("fields it refuses", ", ".join(named))
        return True

    def _note(self, what: str, found: str) -> None:
        logger.info("Learned of a model server", extra={"upstream": self._upstream.name, "what": what, "found": found})

    def _messages(self, messages: Sequence[Any]) -> list[Any]:
        if self.system == "anywhere":
            return list(messages)
        plain: list[Json] = orjson.loads(orjson.dumps(list(messages)))
        told = [one for one in plain if one.get("role") in ("system", "developer")]
        others = [one for one in plain if one.get("role") not in ("system", "developer")]
        if not told:
            return plain
        text = "\n\n".join(_text(one.get("content")) for one in told)
        if self.system == "first":
            return [{"role": "system", "content": text}, *others]
        return _prefixed(others, text)


def _prefixed(messages: list[Json], text: str) -> list[Json]:
    """`messages` with `text` before the first words of the user."""
    if messages and messages[0].get("role") == "user":
        content: Any = messages[0].get("content")
        joined = f"{text}\n\n{content}" if isinstance(content, str) else [{"type": "text", "text": text}, *content]
        return [{**messages[0], "content": joined}, *messages[1:]]
    return [{"role": "user", "content": text}, *messages]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast(list[Json], content if isinstance(content, list) else [])
    return "\n".join(str(part.get("text") or "") for part in parts)


class SchemaProbe:
    """One question that only a server which enforces JSON schemas answers rightly: a sink for the answer, too."""

    def __init__(self, model: str) -> None:
        self._word = secrets.token_hex(4)
        self._said = ""
        schema = {
            "type": "object",
            "properties": {"word": {"type": "string", "enum": [self._word]}},
            "required": ["word"],
            "additionalProperties": False,
        }
        shape = {"type": "json_schema", "json_schema": {"name": "probe", "strict": True, "schema": schema}}
        self.prompt = Prompt(
            model,
            [{"role": "user", "content": "Say hello."}],
            options={"response_format": shape, "max_tokens": _PROBE_TOKENS},
        )

    def accepted(self) -> None:
        """Nothing waits for it."""

    def feed(self, chunk: Json) -> None:
        for choice in chunk["choices"]:
            self._said += choice["delta"].get("content") or ""

    @property
    def enforced(self) -> bool:
        try:
            return orjson.loads(self._said) == {"word": self._word}
        except orjson.JSONDecodeError:
            return False
