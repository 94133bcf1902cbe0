"""Text of strangers as people see it: a model reads what a terminal or a browser hides."""

import regex

#: Source: ECMA-48, control sequences and strings.
_ANSI = regex.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|[\]PX^_][^\x07\x1b]*+(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: Control and format characters (zero width, direction, tags), private use, fillers, variation selectors.
_HIDDEN = regex.compile(
    r"[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    r"\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]--[\n\t]]",
    regex.VERSION1,
)


def visible(text: str) -> str:
    """`text` without escape sequences and characters that nobody sees."""
    return _HIDDEN.sub("", _ANSI.sub("", text))


def has_hidden(text: str) -> bool:
    return _HIDDEN.search(text) is not None
