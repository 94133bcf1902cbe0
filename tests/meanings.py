"""`/v1/embeddings` of the scripted model server: a text's vector counts its words, so that what is near can be told.

Models: `words` (64 numbers), `wide` (96), and `away`, which is not there. Words of one kind count as one.
"""

import base64
import struct
from hashlib import sha256
from typing import Any

Json = dict[str, Any]
_KINDS = {"dog": "animal", "puppy": "animal", "hound": "animal", "car": "vehicle", "automobile": "vehicle"}
_SIZES = {"words": 64, "wide": 96}


def embedded(body: Json) -> tuple[int, Json]:
    """Status and answer to a request."""
    size = _SIZES.get(body["model"])
    if size is None:
        return 503, {"error": {"message": "The model is away.", "type": "server_error", "code": None}}
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    vectors = [vector(text, size) for text in texts]
    if body.get("encoding_format") == "base64":
        said: list[Any] = [base64.b64encode(struct.pack(f"<{size}f", *one)).decode() for one in vectors]
    else:
        said = vectors
    data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(said)]
    return 200, {
        "object": "list",
        "model": body["model"],
        "data": data,
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


def reranked(body: Json) -> tuple[int, Json]:
    """`/v1/rerank`: logits, the shorter the text the better."""
    if body["model"] == "away":
        return 503, {"error": {"message": "The model is away.", "type": "server_error", "code": None}}
    results = [{"index": at, "relevance_score": 5.0 - len(text) / 10} for at, text in enumerate(body["documents"])]
    return 200, {"model": body["model"], "results": sorted(results, key=lambda one: -one["relevance_score"])}


def vector(text: str, size: int) -> list[float]:
    numbers = [0.0] * size
    for word in text.lower().replace(".", " ").replace("?", " ").split():
        numbers[int(sha256(_KINDS.get(word, word).encode()).hexdigest(), 16) % size] += 1.0
    return numbers
