"""The local embedder, with a model as small as one can be; the real one cannot be fetched by a test."""

import asyncio
import hashlib
import http.server
import io
import math
import os
import signal
import struct
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

from graph.errors import UpstreamError
from nodes.file_search.local import LocalEmbedder
from nodes.file_search.model import Archive, NoModel, fetch, model_in, place, take
from tests.conftest import check_log
from tests.contract import promise
from tests.onnx_model import write_model
from tests.process import ROOT, Server, free_port, run_module

WORDS = {"bread": (3.0, 0.0), "loaf": (4.0, 3.0), "bee": (0.0, 2.0)}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("given"), WORDS)


@asynccontextmanager
async def embedding(data_dir: Path, given: Path) -> AsyncGenerator[LocalEmbedder]:
    embedder = LocalEmbedder(take(data_dir, given, ["english"]))
    try:
        yield embedder
    finally:
        await embedder.close()


def numbers(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)


@promise("search.local.vectors")
async def test_vectors_are_of_length_one_and_the_same_in_any_company(tmp_path: Path, given: Path) -> None:
    async with embedding(tmp_path, given) as embedder:
        bread, loaf, both = await embedder.embed(["bread", "Loaf", "bread bee"])
        assert numbers(bread) == pytest.approx((1, 0))
        assert numbers(loaf) == pytest.approx((0.8, 0.6))
        assert numbers(both) == pytest.approx((1.5 / math.hypot(1.5, 1), 1 / math.hypot(1.5, 1)))
        many = ["bee " * count for count in range(1, 20)] + ["bread"]
        assert (await embedder.embed(many))[-1] == bread
        assert await embedder.embed(["bread"], query=True) == [bread]
        assert await embedder.embed([]) == []
        assert numbers((await embedder.embed(["strangers only"]))[0]) == (0, 0)
        assert embedder.languages == ["english"]
        assert embedder.space.startswith("local-")


@promise("search.local.vectors")
async def test_askers_who_leave_do_not_confuse_those_who_stay(tmp_path: Path, given: Path) -> None:
    async with embedding(tmp_path, given) as embedder:
        await embedder.embed(["bread"])
        leaving = [asyncio.create_task(embedder.embed(["bee"])) for _ in range(5)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        assert numbers((await embedder.embed(["bread"]))[0]) == pytest.approx((1, 0))


@promise("search.local.process")
async def test_process_that_died_is_started_again(tmp_path: Path, given: Path) -> None:
    async with embedding(tmp_path, given) as embedder:
        bread = await embedder.embed(["bread"])
        (process,) = children(os.getpid())
        os.kill(process, signal.SIGKILL)
        with pytest.raises(UpstreamError):
            await embedder.embed(["bread"])
        assert await embedder.embed(["bread"]) == bread
    assert not children(os.getpid())


@promise("search.local.process")
def test_process_ends_with_a_server_that_was_killed(tmp_path: Path, given: Path) -> None:
    program = textwrap.dedent(
        """
        import asyncio, pathlib, sys
        from nodes.file_search.local import LocalEmbedder
        from nodes.file_search.model import take

        async def main():
            await LocalEmbedder(take(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))).embed(["bee"])
            print("made", flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    )
    line = [sys.executable, "-c", program, str(tmp_path), str(given)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == b"made\n"
        (process,) = children(server.pid)
        server.kill()
    until = time.monotonic() + 10
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < until
        time.sleep(0.02)


@promise("search.local.vectors")
def test_server_finds_by_what_the_local_model_says(tmp_path: Path, given: Path) -> None:
    made = run_module("server", "index", "model", str(given), "--data-dir", str(tmp_path / "kept"))
    assert made.returncode == 0, made.stderr
    ours = Server(tmp_path, None, "--file-search-embedding", "local", GRAPHNEXUS_DISCOVER="false").start()
    client = OpenAI(base_url=ours.url, api_key="any", max_retries=0)
    ids = [client.files.create(file=(f"{word}.txt", word.encode()), purpose="assistants").id for word in WORDS]
    store = client.vector_stores.create(file_ids=ids)
    while client.vector_stores.retrieve(store.id).status != "completed":
        time.sleep(0.05)
    page = client.vector_stores.search(store.id, query="loaf", max_num_results=2)
    assert [hit.filename for hit in page.data] == ["loaf.txt", "bread.txt"]
    assert page.data[1].score == pytest.approx(0.4)  # half of the cosine
    (process,) = children(ours.pid)
    assert ours.stop() == 0
    assert not Path(f"/proc/{process}").exists()
    check_log(ours.log())


@promise("search.local.missing")
def test_server_that_lacks_the_model_says_how_to_get_it(tmp_path: Path) -> None:
    line = ("server", "serve", "--port", str(free_port()), "--data-dir", str(tmp_path))
    ended = run_module(*line, "--file-search-embedding", "local", "--upstream", "http://127.0.0.1:9/v1")
    assert ended.returncode == 2, ended.stderr
    assert "graphnexus index model" in ended.stderr
    assert "Traceback" not in ended.stderr


@promise("search.local.missing")
async def test_missing_or_unusable_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="graphnexus index model"):
        model_in(tmp_path)
    with pytest.raises(NoModel, match=r"no model.onnx and no tokenizer.json"):
        take(tmp_path, tmp_path)
    given = tmp_path / "given"
    given.mkdir()
    (given / "model.onnx").write_bytes(b"none")
    (given / "tokenizer.json").write_bytes(b"{}")
    async with embedding(tmp_path, given) as embedder:
        with pytest.raises(UpstreamError, match="cannot be used"):
            await embedder.embed(["bread"])


@promise("search.local.installed")
def test_model_is_fetched_whole_or_not_at_all(tmp_path: Path, given: Path) -> None:
    packed = archive_of(given)
    with serving(packed) as url:
        with pytest.raises(NoModel, match="its SHA-256 is"):
            fetch(tmp_path, print, Archive(url, "0" * 64))
        assert not place(tmp_path).exists()
        made = fetch(tmp_path, print, Archive(url, hashlib.sha256(packed).hexdigest(), ["english"]))
        assert made == model_in(tmp_path)
        assert made.languages == ["english"]
        with pytest.raises(NoModel, match="could not be fetched"):
            fetch(tmp_path, print, Archive(f"{url}/404", "0" * 64))
    assert (made.directory / "model.onnx").read_bytes() == (given / "model.onnx").read_bytes()


@promise("search.local.installed")
def test_model_is_taken_from_a_file_and_replaces_another(tmp_path: Path, given: Path) -> None:
    first = take(tmp_path, given)
    other = write_model(tmp_path / "other", {**WORDS, "swarm": (1.0, 1.0)})
    packed = tmp_path / "other.tar.gz"
    packed.write_bytes(archive_of(other, "onnx/"))
    second = take(tmp_path, packed)
    assert first.digest != second.digest
    assert second == model_in(tmp_path)
    (tmp_path / "cut.tar.gz").write_bytes(packed.read_bytes()[:100])
    with pytest.raises(NoModel):
        take(tmp_path, tmp_path / "cut.tar.gz")
    assert model_in(tmp_path) == second


def archive_of(given: Path, prefix: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file in sorted(given.iterdir()):
            archive.add(file, prefix + file.name)
    return packed.getvalue()


@contextmanager
def serving(content: bytes) -> Generator[str]:
    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if self.path.endswith("404") else 200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def children(parent: int) -> list[int]:
    """Local embedders that are its own."""
    said = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in said if "local_process" in Path(f"/proc/{pid}/cmdline").read_text()]
