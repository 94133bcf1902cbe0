"""What a server is shown and nobody else may see: found in headers and URLs, and taken out of what it says."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

_NAME = re.compile(r"auth|key|token|secret|cookie|passw|pwd|signature|sig$|credential|jwt", re.IGNORECASE)
#: Long, and of letters and digits that make no words.
_VALUE = re.compile(r"(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])[\w.~+/=-]{24,}|(?:sk|pk|ghp|gho|pat|xox\w)[-_]\S{8,}")
#: Shorter ones are not told from ordinary words.
_LEAST_CHARS = 8
_GONE = "[redacted]"


def secrets_of(named: Iterable[tuple[str, str]], url: str) -> tuple[str, ...]:
    """What of `named` (headers, variables) and of the query of `url` is secret, in every form it may come back in."""
    found = [part for name, value in named if _NAME.search(name) for part in _parts(value)]
    found += [value for name, value in parse_qsl(urlsplit(url).query) if _is_secret(name, value)]
    forms = {form for secret in found for form in (secret, quote(secret, safe=""), quote(secret))}
    return tuple(sorted((form for form in forms if len(form) >= _LEAST_CHARS), key=len, reverse=True))


def redacted(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _GONE)
    return text


def shown_url(url: str) -> str:
    """`url` without the values of its query that look like secrets."""
    parts = urlsplit(url)
    query = "&".join(_shown_pair(pair) for pair in parts.query.split("&"))
    return url if query == parts.query else urlunsplit(parts._replace(query=query))


def _shown_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    is_secret = any(_is_secret(*each) for each in parse_qsl(pair))
    return f"{name}{equals}REDACTED" if is_secret else pair


def _is_secret(name: str, value: str) -> bool:
    return _NAME.search(name) is not None or _VALUE.match(value) is not None


def _parts(value: str) -> Iterator[str]:
    """The value, what follows its scheme, the password of `Basic`, the values of cookies."""
    yield value
    scheme, _, rest = value.partition(" ")
    if rest:
        yield rest
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield from (plain, plain.partition(":")[2])
    for pair in value.split(";"):
        yield pair.partition("=")[2].strip()
