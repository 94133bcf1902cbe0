"""What a model server's answer lacks, made good between the wire and the sink."""

from collections.abc import Sequence

from graph.errors import Json


class Repair:
    def __init__(self, tools: Sequence[Json] = ()) -> None:
        self.notes: list[str] = []

    def mend(self, chunk: Json) -> Sequence[Json]:
        return (chunk,)


def as_chunk(completion: Json) -> Json:
    """A whole completion as the one chunk of a stream."""
    choices = [
        {
            "index": choice.get("index", 0),
            "delta": choice.get("message") or choice.get("delta") or {},
            "logprobs": choice.get("logprobs"),
            "finish_reason": choice.get("finish_reason") or "stop",
        }
        for choice in completion.get("choices") or ()
    ]
    return {**completion, "object": "chat.completion.chunk", "choices": choices}
