"""Takes secrets out of recordings. One secret has one placeholder everywhere, so that what was equal stays so."""

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from evals.recording.patterns import ADDRESSES, EMAILS, KNOWN, SAID, Pattern, names_secret
from evals.unfit import Unfit

Json = dict[str, Any]
#: Texts and names in JSON, URLs and headers may have such a word in them.
MARK = "REDACTED"
_PLACEHOLDER = re.compile(rf"{MARK}-[a-z]+-\d+")
#: Secrets shorter than that are not looked for where nothing says that they are some.
_TELLING_CHARS = 8
_TEXT_FILE = re.compile(r"data:(?:text/|application/(?:json|xml|x-yaml|toml))[^,]*;base64,")
#: Fields of an MCP server in a request that open its door.
_DOORS = frozenset({"authorization", "headers"})


class Redactor:
    """Looks at everything first (`learn`), so that a secret which is known by its place in one run is found in all."""

    def __init__(self, own: Sequence[str] = (), emails: bool = False) -> None:
        """`own`: regexes of the user; a group `secret` is the secret, else the first group, else all."""
        self._patterns = (*_compiled(own), *KNOWN, *ADDRESSES, *SAID, *(EMAILS if emails else ()))
        self._placeholders = dict[str, str]()
        self._kinds = Counter[str]()
        self._known: re.Pattern[str] | None = None

    def learn(self, value: Any) -> None:
        self._any(value)
        telling = [secret for secret in self._placeholders if len(secret) >= _TELLING_CHARS]
        longest = sorted(telling, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest))) if longest else None

    def clean(self, value: Json) -> Json:
        return self._object(value)

    @property
    def counts(self) -> dict[str, int]:
        """How many different secrets there are, by kind."""
        return dict(self._kinds)

    # ------------------------------------------------------------ by shape

    def _any(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case dict():
                return self._object(value)
            case list():
                return [self._any(one) for one in value]
            case _:
                return value

    def _object(self, value: Json) -> Json:
        doors = _DOORS if value.get("type") == "mcp" else ()
        logprob = "logprob" in value
        return {
            self._text(name): self._field(one) if names_secret(name) and not logprob else self._any(one)
            for name, one in value.items()
            if name not in doors
        }

    def _field(self, value: Any) -> Any:
        if isinstance(value, str) and value:
            return self._placeholder("token", value)
        return self._any(value)

    def _text(self, text: str) -> str:
        if text.startswith("data:"):
            return self._file(text)
        if text[:1] in ("{", "["):
            try:
                return self._document(text)
            except (ValueError, RecursionError):
                return self._prose(text)  # no JSON, or deeper than anyone means it
        return self._prose(text)

    def _document(self, text: str) -> str:
        held = json.loads(text)
        clean = self._any(held)
        return text if clean == held else json.dumps(clean)

    def _file(self, text: str) -> str:
        """A file with text in it; pictures and others stay as they are."""
        head = _TEXT_FILE.match(text)
        if not head:
            return text
        try:
            said = base64.b64decode(text[head.end() :], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return text
        clean = self._text(said)
        return text if clean == said else head[0] + base64.b64encode(clean.encode()).decode()

    def _prose(self, text: str) -> str:
        if self._known:
            text = self._known.sub(lambda match: self._placeholders[match[0]], text)
        for pattern in self._patterns:
            text = pattern.regex.sub(lambda match, kind=pattern.kind: self._replaced(kind, match), text)
        return text

    # ------------------------------------------------------------ one secret

    def _replaced(self, kind: str, match: re.Match[str]) -> str:
        start, end = _span(kind, match)
        if start == end:
            return match[0]
        before, secret, behind = (
            match.string[match.start() : start],
            match.string[start:end],
            match.string[end : match.end()],
        )
        return before + self._placeholder(kind, secret) + behind

    def _placeholder(self, kind: str, secret: str) -> str:
        if _PLACEHOLDER.search(secret):
            return secret
        if secret not in self._placeholders:
            self._kinds[kind] += 1
            self._placeholders[secret] = f"{MARK}-{kind}-{self._kinds[kind]}"
        return self._placeholders[secret]


def _span(kind: str, match: re.Match[str]) -> tuple[int, int]:
    """Where the secret is; a user's regex may have a group without a name."""
    if "secret" in match.re.groupindex:
        return match.span("secret")
    return match.span(1 if kind == "own" and match.re.groups else 0)


def _compiled(own: Sequence[str]) -> list[Pattern]:
    made = list[Pattern]()
    for regex in own:
        try:
            made.append(Pattern("own", re.compile(regex)))
        except re.error as problem:
            raise Unfit(f"--redact {regex!r}: no regular expression ({problem}); see Python's module re.") from problem
    return made
