"""A database that is damaged is left alone; a disk that is full costs what is asked meanwhile, and nothing else."""

import resource
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
from openai.types.responses import Response

from tests.conftest import SIGNS_OF_BUGS, StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.upstream import Script, says

ROOM_BYTES = 150_000


def damaged_header(good: bytes) -> bytes:
    return b"garbage!" * 64 + good[512:]


def damaged_page(good: bytes) -> bytes:
    return good[:16384] + b"garbage!" * 2048 + good[32768:]


def cut_off(good: bytes) -> bytes:
    return good[: len(good) // 2]


@promise("store.damaged")
@pytest.mark.parametrize("damage", [damaged_header, damaged_page, cut_off])
def test_a_damaged_database_is_refused_and_left_as_it_is(
    start_server: StartServer, recorder: Recorder, script: Script, model: str, damage: Callable[[bytes], bytes]
) -> None:
    script.always(says("noted " * 40))
    server = start_server()
    with client_of(server, recorder) as client:
        for _ in range(8):
            client.responses.create(model=model, input="remember " * 200)
    server.stop()
    kept = Path(server.data_dir) / "kept" / "graphnexus.db"
    bad = damage(kept.read_bytes())
    kept.write_bytes(bad)
    since = server.log_size()
    with pytest.raises(RuntimeError):
        server.start()
    said = server.log(since).strip()
    assert said.startswith("graphnexus: ") and str(kept) in said and "\n" not in said, said
    assert kept.read_bytes() == bad


@promise("store.full")
def test_a_full_disk_refuses_what_it_cannot_keep_and_recovers_by_itself(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    script.always(says("noted"))
    server = start_server()
    database = Path(server.data_dir) / "kept" / "graphnexus.db"
    with client_of(server, recorder) as client:
        first = client.responses.create(model=model, input="before")
        room = database.stat().st_size + ROOM_BYTES
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        kept: list[Response] = []

        def fill() -> None:
            while True:
                kept.append(client.responses.create(model=model, input="x" * 20_000))

        with pytest.raises(openai.InternalServerError) as refused:
            fill()
        assert refused.value.status_code == 503 and int(refused.value.response.headers["retry-after"]) > 0
        for response in (first, *kept):
            assert client.responses.retrieve(response.id).to_dict() == response.to_dict()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        last = (kept or [first])[-1]
        assert client.responses.create(model=model, input="after", previous_response_id=last.id).status == "completed"
    assert not [sign for sign in SIGNS_OF_BUGS if sign in server.log()]
