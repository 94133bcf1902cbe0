"""Text that is text: JSON may hold halves of pairs, which no file and no page can."""

import re
from typing import Any

from pydantic_core import PydanticSerializationError

from evals.transcript import Transcript

_HALF = re.compile("[\ud800-\udfff]")


def wellformed(value: Any) -> Any:
    """JSON, with a sign that says so for each half of a pair."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [wellformed(one) for one in value]
    if isinstance(value, dict):
        return {wellformed(key): wellformed(one) for key, one in value.items()}
    return value


def kept(transcript: Transcript) -> Transcript:
    """As it can be kept: what servers say is not always well formed."""
    try:
        transcript.model_dump_json()
    except PydanticSerializationError:
        return Transcript.model_validate(wellformed(transcript.model_dump()))
    return transcript
