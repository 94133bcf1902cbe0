"""What keys, tokens and passwords look like. A pattern's group `secret` is the secret; without one all of it is."""

import re
from typing import NamedTuple

#: What cannot be part of a secret in the middle of a text: also keeps patterns inside of strings of JSON.
_WORD = r"[^\s\"'`<>\\,;&(){}\[\]]"


class Pattern(NamedTuple):
    #: What a placeholder calls it.
    kind: str
    regex: re.Pattern[str]


def _named(*rows: tuple[str, str]) -> tuple[Pattern, ...]:
    return tuple(Pattern(kind, re.compile(regex)) for kind, regex in rows)


#: Secrets that can be told by themselves, those with the longest mark first.
KNOWN = _named(
    ("key", r"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----(?:(?!-----)[\s\S])+-----END [A-Z ]*PRIVATE KEY[A-Z ]*-----"),
    ("jwt", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    ("key", r"\bsk-(?:ant-|proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{16,}"),
    ("key", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|gl(?:pat|rt|dt|ptt|cbt)-[\w-]{18,})"),
    ("key", r"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,})"),
    ("key", r"\bhooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/]{20,})"),
    ("key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("key", r"\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})"),
    ("key", r"\b(?:[rs]k_(?:live|test)_\w{16,}|whsec_[A-Za-z0-9+/=]{16,})"),
    ("key", r"\b(?:hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{50,}|dop_v1_[a-f0-9]{40,}|r8_[A-Za-z0-9]{30,})"),
    ("key", r"\b(?:SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32}|SK[0-9a-f]{32}|gsk_\w{30,})"),
    ("key", r"\b(?:xai-\w{30,}|tvly-[\w-]{16,}|nvapi-[\w-]{30,}|AGE-SECRET-KEY-1\w{50,})"),
    ("key", r"\b(?:lsv2_[a-z]{2}_\w{30,}|e2b_[a-f0-9]{30,}|pplx-\w{30,}|dckr_pat_[\w-]{20,}|ATATT3[\w=-]{20,})"),
    ("key", r"\b(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{30,}={0,2})"),
)  # fmt: skip

_PARAMETERS = (
    "x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential", "signature",
    "sig", "awsaccesskeyid", "googleaccessid", "key-pair-id", "token", "access_token", "id_token", "refresh_token",
    "auth", "api_key", "api-key", "apikey", "key", "secret", "client_secret", "password", "pwd", "hmac",
)  # fmt: skip
#: What of an address opens a door: who may come in, and the signature of a query.
ADDRESSES = _named(
    ("login", r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://(?P<secret>[^/\s@\"'<>\\]+)@"),
    ("query", rf"(?i)[?&](?:{'|'.join(_PARAMETERS)})=(?P<secret>[^&#\s\"'<>\\]+)"),
)

_NAMES = (
    r"(?:(?:api|access|secret|private|auth|signing|encryption|account)[_-]?(?:key|token|secret)(?:[_-]?id)?"
    r"|(?:client[_-]?)?secret|(?:refresh[_-]?|id[_-]?|session[_-]?)?token|session[_-]?id)"
)
_SET = r"[\"']?\s*[:=]\s*[\"'`]?"
_IS = r"\s+is:?\s+[\"'`]?(?=\S{0,200}\d)"
_WORDS = r"(?:password|passwd|passphrase|pwd)"
#: Secrets that are told by what stands before them.
SAID = _named(
    ("token", r"(?i:\b(?:bearer|basic)\s+)(?P<secret>(?=\S{0,200}(?:\d|=|[a-z][A-Z]))[A-Za-z0-9+/=._~-]{12,})"),
    ("password", rf"(?i)(?:\b|_){_WORDS}{_SET}(?P<secret>{_WORD}{{6,}})"),
    ("password", rf"(?i)(?:\b|_){_WORDS}{_IS}(?P<secret>{_WORD}{{6,}})"),
    ("token", rf"(?i)(?:\b|_){_NAMES}(?:{_SET}|{_IS})(?P<secret>(?={_WORD}{{0,200}}\d){_WORD}{{8,}})"),
    ("token", r"(?i)\b(?:set-)?cookie:\s*(?P<secret>[^\r\n\"\\]{6,})"),
)

EMAILS = _named(("email", r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,}\b"))

#: Names of fields whose texts are secrets, as words joined by `_`.
_FIELDS = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|passphrase|secret|token|authorization|cookie|credentials?|api_?key|x_api_key"
    r"|(?:private|secret|access|signing|encryption|account)_key(?:_id)?|session_id|connection_string)$"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names_secret(field: str) -> bool:
    """Whether a field of this name holds one: `apiKey`, `X-Api-Key` and `OPENAI_API_KEY` do, `max_tokens` does not."""
    return bool(_FIELDS.search(_HUMP.sub("_", field).replace("-", "_").replace(" ", "_").lower()))
