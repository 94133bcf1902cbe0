"""Text → windows and their words; runs in a process of its own, for it would hold up everything else.

`python cutting.py PARENT PATH...`: an order a line, `{"text", "tokens"}`; an answer a line, `{"windows"}`, each
`[text, words, language]`. Put together they are the text. Or `{"texts"}`, of windows: `{"languages"}`. It ends when
nothing was asked of it for a minute.
"""

import ctypes
import json
import os
import select
import signal
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

#: Whose tokens are counted: of those that come with the library, what fits most languages.
_TOKENS_OF = "gpt-4o"
#: Windows that are taken to be of one language.
_TOGETHER = 16
_IDLE_S = 60.0
_SET_DEATH_SIGNAL = 1  # Source: prctl(2)
_NODES = Path(__file__).parents[1]


def main() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        return
    os.nice(5)
    sys.path.extend(sys.argv[2:])
    # The packages without what their beginnings import, which is the server's.
    for name, path in (("nodes", _NODES), ("nodes.file_search", _NODES / "file_search")):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [str(path)]
    while select.select([sys.stdin], [], [], _IDLE_S)[0] and (line := sys.stdin.buffer.readline()):
        order = json.loads(line)
        said = answer(order["text"], order["tokens"]) if "text" in order else {"languages": languages(order["texts"])}
        sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
        sys.stdout.buffer.flush()


def answer(text: str, tokens: int) -> dict[str, Any]:
    from nodes.file_search.words import words_of

    windows = cut(text, tokens)
    told = zip(windows, languages(windows), strict=True)
    return {"windows": [(window, words_of(window, [language]), language) for window, language in told]}


def languages(windows: list[str]) -> list[str]:
    """Of windows that follow one another."""
    from nodes.file_search.words import language_of

    found = list[str]()
    for at in range(0, len(windows), _TOGETHER):
        group = windows[at : at + _TOGETHER]
        found += [language_of("".join(group))] * len(group)
    return found


def cut(text: str, tokens: int) -> list[str]:
    """At most so many tokens each, at the ends of paragraphs and sentences where that can be."""
    begins = [at for at, _ in _splitter(tokens).chunk_indices(text)]
    if not begins:
        return [text]
    bounds = [0, *begins[1:], len(text)]
    return [text[bounds[at] : bounds[at + 1]] for at in range(len(begins))]


@cache
def _splitter(tokens: int) -> Any:
    from semantic_text_splitter import TextSplitter

    return TextSplitter.from_tiktoken_model(_TOKENS_OF, tokens)


if __name__ == "__main__":
    main()
