"""Made-up texts: words as common as those of a real language, so that searches cost what they cost with one."""

import random
from collections.abc import Sequence
from itertools import accumulate

_BEGINS = ("b", "br", "c", "ch", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "s", "st")
_MIDDLES = ("a", "e", "i", "o", "u", "ai", "ea", "ou", "oa")
_ENDS = ("ck", "d", "ft", "g", "l", "ld", "m", "n", "nd", "ng", "p", "r", "rd", "rn", "s", "sk", "st", "t", "x")
_WORDS = 20_000


class Texts:
    """The same every time."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.words = self._vocabulary()
        #: The word of rank n is 1/n as common as the first (Zipf).
        self._sums = list(accumulate(1 / rank for rank in range(1, _WORDS + 1)))

    def text(self, words: int) -> str:
        """Sentences of about twelve words."""
        said = self._random.choices(self.words, cum_weights=self._sums, k=words)
        return " ".join(word + ("." if at % 12 == 11 else "") for at, word in enumerate(said))

    def question(self, words: int, ranks: Sequence[int] = (20, 5000)) -> str:
        """Of words neither among the very commonest nor among the rarest."""
        return " ".join(self.words[self._random.randrange(*ranks)] for _ in range(words))

    def _vocabulary(self) -> list[str]:
        made = dict[str, None]()
        while len(made) < _WORDS:
            made["".join(self._syllable() for _ in range(self._random.choice((1, 2, 2, 3))))] = None
        return list(made)

    def _syllable(self) -> str:
        return "".join(self._random.choice(part) for part in (_BEGINS, _MIDDLES, _ENDS))
