"""Large vector stores are searched by Chroma, which may lag, be killed or lose everything: what is found is right."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import chroma
from tests.chroma import MODEL, all_found, bound, filled, nearest, searching, servers, text, told
from tests.conftest import check_log
from tests.contract import promise
from tests.postgres import url_of
from tests.process import Server, run_module
from tests.told import eventually
from tests.vectors import Vectors, embedding

_FILES = 14


@pytest.fixture
def vectors() -> Iterator[Vectors]:
    with embedding(MODEL) as served:
        yield served


@pytest.fixture
def start(tmp_path: Path, vectors: Vectors) -> Iterator[Callable[..., Server]]:
    """Servers, none of which is there afterwards."""
    started = list[Server]()

    def start(name: str, *flags: str, **environment: str) -> Server:
        started.append(searching(tmp_path / name, vectors, *flags, **environment).start())
        return started[-1]

    yield start
    for one in started:
        one.kill()


@promise("chroma.large", "chroma.swept", "chroma.rebuilt")
def test_large_stores_are_told_to_chroma_and_small_ones_do_not_start_it(start: Callable[..., Server]) -> None:
    ours = start("a")
    kept = str(ours.data_dir / "kept")
    with bound(ours) as client:
        small, _ = filled(client, 3, "small")
        assert all_found(client, small, 3, "small")
        assert not servers(ours) and not chroma.directory(ours).exists()
        store_id, ids = filled(client, _FILES)
        told(ours, _FILES)
        assert all_found(client, store_id, _FILES)

        client.vector_stores.files.delete(ids["3.txt"], vector_store_id=store_id)
        assert "3.txt" not in nearest(client, store_id, text(3))
        told(ours, _FILES - 1)

        (one,) = chroma.asked(ours, "GET", "")
        chroma.asked(ours, "POST", f"/{one['id']}/delete", {"where": {"edition": {"$gt": 0}}})
        assert nearest(client, store_id, text(4)) == []  # it is Chroma that is asked
        rebuilt = run_module("server", "index", "rebuild", "--data-dir", kept)
        assert rebuilt.returncode == 0 and f"{_FILES + 2} files" in rebuilt.stdout, rebuilt
        assert nearest(client, store_id, text(4))[0] == "4.txt"
        told(ours, _FILES - 1)
        status = run_module("server", "index", "status", "--data-dir", kept)
        assert f"{_FILES - 1} vectors" in status.stdout and "3 files wait" in status.stdout, status

        client.vector_stores.delete(store_id)
        told(ours)
        left = lambda: [path for path in (chroma.directory(ours) / "data").iterdir() if path.is_dir()]  # noqa: E731
        eventually(lambda: 1 / (not left()), ZeroDivisionError)
    assert ours.stop() == 0
    check_log(ours.log())


@promise("chroma.shared", "chroma.right")
def test_searches_are_right_when_chroma_or_its_parent_is_killed_or_everything_is_lost(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    shared = {"GRAPHNEXUS_DATABASE_URL": url_of(tmp_path), "GRAPHNEXUS_SECRET_KEY": "both", "GRAPHNEXUS_LEASE_S": "2"}
    a = start("a", **shared)
    b = start("b", "--data-dir", str(tmp_path / "a" / "kept"), **shared)
    with bound(a) as to_a, bound(b) as to_b:
        store_id, _ = filled(to_a, _FILES)
        told(a, _FILES)
        (child,) = servers(a, b)
        assert all_found(to_b, store_id, _FILES) and servers(a, b) == [child]

        new = to_a.files.create(file=("new.txt", text(70).encode()), purpose="assistants")
        to_a.vector_stores.files.create_and_poll(new.id, vector_store_id=store_id, poll_interval_ms=20)
        assert nearest(to_a, store_id, text(70))[0] == "new.txt"  # which Chroma has not been told yet
        to_a.vector_stores.files.delete(new.id, vector_store_id=store_id)
        told(a, _FILES)

        os.kill(child, signal.SIGKILL)
        assert all_found(to_b, store_id, _FILES)
        (child,) = servers(a, b)

        parent, other = (a, b) if servers(a) else (b, a)
        parent.kill()
        client = to_b if other is b else to_a
        assert all_found(client, store_id, _FILES)
        (child,) = servers(other)

        os.kill(child, signal.SIGKILL)
        shutil.rmtree(chroma.directory(a) / "data")
        assert all_found(client, store_id, _FILES)
        told(a, _FILES)
        assert all_found(client, store_id, _FILES)
        (child,) = servers(other)
    assert other.stop() == 0
    assert not Path(f"/proc/{child}").exists()
