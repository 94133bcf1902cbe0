"""Several processes on one port and one PostgreSQL: they share the work, and none is missed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI
from openai.types.responses import Response

from tests.conftest import StartServer, check_log
from tests.contract import promise
from tests.postgres import url_of
from tests.process import Server
from tests.test_cli import graphnexus, one_line
from tests.upstream import Upstream, says

LIMIT_S = 60.0


@pytest.fixture(scope="module")
def two(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server these tests share; whatever they do to it, it mends itself."""
    path = tmp_path_factory.mktemp("two")
    ours = Server(path, upstream.url, "--workers", "2", GRAPHNEXUS_DATABASE_URL=url_of(path, empty=True)).start()
    wait_for(lambda: len(workers_of(ours)) == 2, "two processes")
    wait_for(lambda: "GraphNexus " in ours.log(), "the one that says what is served")
    yield ours
    ours.stop()
    check_log(ours.log())


def workers_of(server: Server) -> set[int]:
    """The processes that serve, without the one that watches them."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def wait_for(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(client: OpenAI, id: str) -> Response:
    until = time.monotonic() + LIMIT_S
    while (response := client.responses.retrieve(id)).status != "completed":
        assert time.monotonic() < until, response.status
        time.sleep(0.05)
    return response


@contextmanager
def asked_all_the_time(server: Server) -> Iterator[list[int]]:
    """Meanwhile somebody asks, each time anew; gives the statuses."""
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            statuses.append(httpx2.get(f"{server.url}/models", timeout=LIMIT_S).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield statuses
    finally:
        done.set()
        asking.join()


@promise("operations.workers")
def test_several_processes_serve_one_port_and_say_so_once(two: Server, upstream: Upstream) -> None:
    upstream.on("shared-work").will(*[says(f"answer {at}") for at in range(6)])
    for at in range(6):
        with OpenAI(base_url=two.url, api_key="any", max_retries=0) as client:
            made = client.responses.create(model="shared-work", input="hi", background=at % 2 == 0)
        with OpenAI(base_url=two.url, api_key="any", max_retries=0) as client:
            assert ended(client, made.id).output_text.startswith("answer")
    assert two.log().count("GraphNexus ") == 1


@promise("operations.workers")
def test_a_process_that_dies_is_replaced_and_not_missed(two: Server) -> None:
    before = workers_of(two)
    with asked_all_the_time(two) as statuses:
        os.kill(min(before), signal.SIGKILL)
        wait_for(lambda: len(workers_of(two)) == 2 and min(before) not in workers_of(two), "another process")
        wait_for(lambda: len(statuses) > 50, "many answers")
    assert set(statuses) == {200}
    assert "A process died; another takes its place" in two.log()


@promise("operations.workers")
def test_processes_are_replaced_one_after_another_without_a_pause(two: Server) -> None:
    before = workers_of(two)
    with asked_all_the_time(two) as statuses:
        os.kill(two.pid, signal.SIGHUP)
        wait_for(lambda: len(workers_of(two)) == 2 and not workers_of(two) & before, "two other processes")
    assert set(statuses) == {200}


@promise("operations.workers")
def test_all_processes_stop_when_told_and_finish_what_they_do(
    start_server: StartServer, upstream: Upstream, tmp_path: Path
) -> None:
    go_on = threading.Event()
    two = start_server("--workers", "2", GRAPHNEXUS_DATABASE_URL=url_of(tmp_path))
    upstream.on("stop-workers").will(*[says("one two three").pauses(1, go_on)] * 2)
    workers = workers_of(two)
    with OpenAI(base_url=two.url, api_key="any", max_retries=0) as client:
        streams = [client.responses.create(model="stop-workers", input="go", stream=True) for _ in range(2)]
        for stream in streams:
            next(iter(stream))
        os.kill(two.pid, signal.SIGTERM)
        go_on.set()
        assert [list(stream)[-1].type for stream in streams] == ["response.completed"] * 2
    assert two.stop() == 0
    assert not [pid for pid in workers if is_alive(pid)]


def test_processes_do_not_outlive_the_one_that_watches_them(start_server: StartServer, tmp_path: Path) -> None:
    two = start_server("--workers", "2", GRAPHNEXUS_DATABASE_URL=url_of(tmp_path))
    workers = workers_of(two)
    two.kill()
    wait_for(lambda: not any(is_alive(pid) for pid in workers), "all processes end")


def test_several_processes_on_a_file_are_refused_in_one_line(tmp_path: Path) -> None:
    ended = graphnexus("serve", "--workers", "2", "--data-dir", str(tmp_path))
    assert ended.returncode == 2
    assert one_line(ended.stderr).startswith("graphnexus: workers: 2 processes need PostgreSQL")


@promise("operations.one_key")
def test_a_replica_with_another_key_is_refused_in_one_line(two: Server, tmp_path: Path) -> None:
    kept = ("--data-dir", str(tmp_path / "other"), "--port", "0")
    ended = graphnexus("serve", *kept, GRAPHNEXUS_DATABASE_URL=url_of(two.data_dir))
    assert ended.returncode == 2
    said = one_line(ended.stderr)
    assert said.startswith("graphnexus: secret_key: ")
    assert "GRAPHNEXUS_SECRET_KEY" in said


def test_a_database_that_is_away_at_the_start_is_one_line_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://me:sk-hidden@127.0.0.1:1/there"
    for line in (("serve",), ("keys", "list")):
        ended = graphnexus(*line, "--data-dir", str(tmp_path), GRAPHNEXUS_DATABASE_URL=url)
        assert ended.returncode == 1
        assert one_line(ended.stderr).startswith("graphnexus: 127.0.0.1:1/there: The database cannot be reached")
        assert "sk-hidden" not in ended.stderr
