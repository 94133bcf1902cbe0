"""Tokens of a case."""

from collections.abc import Iterable
from typing import Any

from evals.transcript import Made, Usage

Json = dict[str, Any]


def used(turns: Iterable[Made]) -> Usage:
    """What its responses say they cost, together."""
    total = Usage()
    for usage in (response.get("usage") or {} for made in turns for response in made.responses):
        total.input += usage.get("input_tokens") or 0
        total.output += usage.get("output_tokens") or 0
        total.cached += (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
        total.reasoning += (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    return total
