"""Makes vectors of texts until nobody asks any more: `python local_process.py ORDER PATH...`.

ORDER is `{"directory", "threads", "tokens", "parent"}`, the paths are where modules are found. Asked by frames on
standard input, a length (4 bytes, little-endian) and a JSON list of texts; answers each with a length, a byte, and
behind a 0 the vectors one after the other (32-bit floats), behind a 1 what went wrong.
"""

import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np

_CONFINE = Path(__file__).parents[1] / "sandbox" / "confine"
_LENGTH = struct.Struct("<I")


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    if sys.platform == "linux":
        _die_with(order["parent"])
    os.nice(5)  # who answers requests goes first
    sys.path.extend(sys.argv[2:])
    embed: Callable[[Sequence[str]], bytes] | None = None
    while (texts := _asked()) is not None:
        try:
            embed = embed or _embedder(Path(order["directory"]), order["threads"], order["tokens"])
            _answer(b"\0", embed(texts))
        except Exception as error:
            _answer(b"\1", f"{type(error).__name__}: {error}".encode(errors="replace")[:2000])


def _die_with(parent: int) -> None:
    """Also when it is killed while texts are under way."""
    sys.path.insert(0, str(_CONFINE))
    import kernel  # pyright: ignore[reportMissingImports]  # of the launcher of sandboxes

    kernel.prctl(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    del sys.path[0]


def _asked() -> list[str] | None:
    head = sys.stdin.buffer.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    return json.loads(sys.stdin.buffer.read(length))


def _answer(kind: bytes, said: bytes) -> None:
    sys.stdout.buffer.write(_LENGTH.pack(len(said) + 1) + kind + said)
    sys.stdout.buffer.flush()


def _embedder(directory: Path, threads: int, tokens: int) -> Callable[[Sequence[str]], bytes]:
    import numpy as np
    import onnxruntime as ort  # pyright: ignore[reportMissingTypeStubs]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.enable_truncation(max_length=tokens)
    tokenizer.enable_padding()  # to the longest that is asked at once
    options: Any = cast("Any", ort).SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model: Any = ort.InferenceSession(str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"])
    wanted = {given.name for given in model.get_inputs()}

    def embed(texts: Sequence[str]) -> bytes:
        encoded = tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        said = model.run(None, {name: value for name, value in given.items() if name in wanted})[0]
        return _pooled(np.asarray(said, np.float32), mask).astype("<f4").tobytes()

    return embed


def _pooled(said: "np.ndarray[Any, Any]", mask: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The mean of what is said of each token, of length 1; as sentence-transformers does it for this model."""
    import numpy as np

    if said.ndim == 3:
        weights = mask[:, :, None].astype(np.float32)
        said = (said * weights).sum(1) / np.maximum(weights.sum(1), 1e-9)
    return said / np.maximum(np.linalg.norm(said, axis=1, keepdims=True), 1e-12)


if __name__ == "__main__":
    main()
