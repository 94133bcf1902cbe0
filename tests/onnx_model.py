"""A model as small as one can be, in ONNX: each word has a vector of its own, and nothing else is known of it.

Written by hand as the format has it (https://onnx.ai/onnx/repo-docs/IR.html): the library `onnx` is larger than all of
the tests.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

_FLOAT, _INT64 = 1, 7


def write_model(directory: Path, words: Mapping[str, Sequence[float]]) -> Path:
    """model.onnx and tokenizer.json; a text's vector is the mean of its words', and strangers' are zero."""
    directory.mkdir(parents=True, exist_ok=True)
    width = len(next(iter(words.values())))
    vectors = [[0.0] * width, *words.values()]
    (directory / "model.onnx").write_bytes(_model(vectors))
    vocabulary = {"[UNK]": 0, **{word: at for at, word in enumerate(words, 1)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


def _model(vectors: Sequence[Sequence[float]]) -> bytes:
    numbers = [number for vector in vectors for number in vector]
    table = _numbers(1, len(vectors), len(vectors[0])) + _number(2, _FLOAT) + _bytes(8, b"table")
    table += _bytes(9, struct.pack(f"<{len(numbers)}f", *numbers))
    gather = _bytes(1, b"table") + _bytes(1, b"input_ids") + _bytes(2, b"said") + _bytes(4, b"Gather")
    graph = _bytes(1, gather) + _bytes(2, b"words") + _bytes(5, table)
    graph += _bytes(11, _value(b"input_ids", _INT64, ["texts", "tokens"]))
    graph += _bytes(12, _value(b"said", _FLOAT, ["texts", "tokens", "numbers"]))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))


def _value(name: bytes, kind: int, axes: Sequence[str]) -> bytes:
    shape = b"".join(_bytes(1, _bytes(2, axis.encode())) for axis in axes)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, shape)))


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _numbers(field: int, *values: int) -> bytes:
    return b"".join(_number(field, value) for value in values)


def _varint(value: int) -> bytes:
    said = b""
    while value > 127:
        said += bytes([value & 127 | 128])
        value >>= 7
    return said + bytes([value])
