"""How large a regular expression gets when it is compiled: counted repetitions are written out."""

import regex

_TOKEN = regex.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|[()]|\{(\d++)(?:,(\d*+))?\}|.", regex.DOTALL)
#: Steps of all the patterns of one schema; a step takes some 300 bytes.
MOST_STEPS = 100_000


def steps(pattern: str) -> int:
    """About so many, repetitions within repetitions multiplied."""
    sums, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        if count := token[1]:
            last *= max(1, *(int(number[:9]) for number in (count, token[2]) if number))
        elif token[0] == "(":
            sums[-1] += last
            sums.append(0)
            last = 0
        elif token[0] == ")" and len(sums) > 1:
            last += sums.pop()
        else:
            sums[-1] += last
            last = 1
    return sum(sums) + last
