"""Files of callers, through the official client."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, InternalServerError, NotFoundError, OpenAI

from tests import postgres
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.process import Server, free_port
from tests.recorder import Recorder
from tests.told import eventually

CONTENT = bytes(range(256)) * 40
MB = 1 << 20


def rss_mb(server: Server) -> float:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def kept(server: Server) -> list[Path]:
    """Files in the storage of a server."""
    return [path for path in (server.data_dir / "kept" / "files").rglob("*") if path.is_file()]


@promise("files.roundtrip")
def test_a_file_comes_back_as_it_was_sent(client: OpenAI) -> None:
    made = client.files.create(file=("übel data.bin", CONTENT), purpose="user_data")
    assert made.id.startswith("file-")
    assert (made.filename, made.bytes, made.purpose, made.status) == ("übel data.bin", 10240, "user_data", "processed")
    assert made.expires_at is None
    assert client.files.retrieve(made.id) == made
    answer = client.files.with_raw_response.content(made.id)
    assert answer.content == CONTENT
    name = answer.headers["content-disposition"]
    assert name == "attachment; filename=\"_bel data.bin\"; filename*=UTF-8''%C3%BCbel%20data.bin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    gone = client.files.delete(made.id)
    assert (gone.id, gone.deleted, gone.object) == (made.id, True, "file")
    for ask in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(NotFoundError):
            ask(made.id)


@promise("files.roundtrip")
def test_an_empty_file_is_a_file(http: httpx2.Client, client: OpenAI) -> None:
    answer = http.post("/files", data={"purpose": "batch"}, files={"file": ("empty.txt", b"")})
    assert client.files.content(answer.json()["id"]).read() == b""


@promise("files.storage")
def test_bytes_that_were_lost_are_an_error_and_no_broken_answer(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server()
    with client_of(server, recorder) as client:
        made = client.files.create(file=("a", b"x"), purpose="batch")
        (bytes_of,) = kept(server)
        bytes_of.unlink()
        with pytest.raises(NotFoundError, match="not there any more"):
            client.files.content(made.id)
        shutil.rmtree(bytes_of.parents[1])
        bytes_of.parents[1].write_bytes(b"no folder")
        with pytest.raises(InternalServerError, match="storage of files cannot be used") as refused:
            client.files.create(file=("a", b"x"), purpose="batch")
        assert refused.value.status_code == 503
        assert client.files.list().data == [made]


@promise("files.list")
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_files_are_listed_in_pages_and_by_purpose(
    start_server: StartServer, recorder: Recorder, store: str, tmp_path: Path
) -> None:
    place = {"GRAPHNEXUS_DATABASE_URL": postgres.url_of(tmp_path)} if store == "postgresql" else {}
    with client_of(start_server(**place), recorder) as client:
        made = [
            client.files.create(file=(f"{at}.txt", b"x"), purpose="vision" if at % 2 else "batch").id for at in range(5)
        ]
        assert [file.id for file in client.files.list()] == made[::-1]
        assert [file.id for file in client.files.list(order="asc", limit=2)] == made, "page after page"
        assert {file.id for file in client.files.list(purpose="vision")} == {made[1], made[3]}
        page = client.files.list(order="asc", limit=2)
        assert ([file.id for file in page.data], page.has_more) == (made[:2], True)
        with pytest.raises(BadRequestError) as refused:
            client.files.list(after="file-none")
        assert refused.value.param == "after"


@promise("files.names")
@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("..", "file"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("a\u200bb.txt", "ab.txt"),
        ("x" * 1000 + ".csv", "x" * 251 + ".csv"),
        ("ä" * 300 + ".csv", "ä" * 125 + ".csv"),
    ],
)
def test_only_the_last_part_of_a_name_is_kept(client: OpenAI, name: str, safe: str) -> None:
    assert client.files.create(file=(name, b"x"), purpose="batch").filename == safe


@promise("files.refused")
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"files": {"file": ("a", b"x")}}, "purpose"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": "fun"}}, "purpose"),
        ({"files": {"other": ("a", b"x")}, "data": {"purpose": "batch"}}, "file"),
        ({"files": [("file", ("a", b"x")), ("file", ("b", b"y"))], "data": {"purpose": "batch"}}, "file"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": "batch", "expires_after[anchor]": "created_at"}},
         "expires_after.seconds"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": "batch", "expires_after[anchor]": "created_at",
                                                   "expires_after[seconds]": "60"}}, "expires_after.seconds"),
        ({"files": {"file": ("a", b"x")}, "data": {"expires_after": "x", "purpose": "batch",
                                                   "expires_after[seconds]": "9" * 5000}}, "expires_after"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": ["batch", "vision"]}}, "purpose"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": "b" * 70_000}}, "purpose"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": b"\xff"}}, "purpose"),
        ({"files": {"file": ("a", b"x")}, "data": {f"a{at}": "x" for at in range(101)}}, None),
        ({"json": {"purpose": "batch"}}, None),
        ({"content": b"--x\r\nfile", "headers": {"content-type": "multipart/form-data; boundary=x"}}, None),
        ({"content": b"garbage", "headers": {"content-type": "multipart/form-data; boundary=x"}}, None),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, None),
    ],
)  # fmt: skip
def test_a_form_that_is_wrong_is_refused_and_nothing_is_kept(
    server: Server, http: httpx2.Client, body: Any, param: str | None
) -> None:
    before = kept(server)
    answer = http.post("/files", **body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert kept(server) == before


@promise("files.limits")
def test_files_that_are_too_large_are_refused(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server(GRAPHNEXUS_FILE_MAX_BYTES="2000000", GRAPHNEXUS_FILE_QUOTA_BYTES="3000000")
    with client_of(server, recorder) as client:
        with pytest.raises(BadRequestError) as refused:
            client.files.create(file=("a", b"x" * 2_000_001), purpose="batch")
        assert refused.value.code == "file_too_large"
        first = client.files.create(file=("a", b"x" * 2_000_000), purpose="batch")
        with pytest.raises(BadRequestError) as refused:
            client.files.create(file=("a", b"x" * 1_000_001), purpose="batch")
        assert refused.value.code == "storage_limit_exceeded"
        assert len(kept(server)) == 1, "nothing is left of what was refused"
        client.files.delete(first.id)
        client.files.create(file=("a", b"x" * 1_000_001), purpose="batch")
        assert len(kept(server)) == 1, "nothing is left of what was deleted"


@promise("files.owners")
def test_nobody_finds_the_files_of_others(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server(GRAPHNEXUS_API_KEYS="ann:sk-ann,bob:sk-bob")
    with client_of(server, recorder) as client:
        ann, bob = (client.with_options(api_key=key) for key in ("sk-ann", "sk-bob"))
        made = ann.files.create(file=("a", b"x"), purpose="batch")
        for ask in (bob.files.retrieve, bob.files.content, bob.files.delete):
            with pytest.raises(NotFoundError):
                ask(made.id)
        assert list(bob.files.list()) == []
        assert ann.files.content(made.id).read() == b"x"


@promise("files.streamed")
def test_a_large_file_is_not_held_in_memory(start_server: StartServer, recorder: Recorder, tmp_path: Path) -> None:
    server = start_server()
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(300 * MB)
    with client_of(server, recorder) as client:
        client.files.create(file=("small", CONTENT), purpose="batch")
        before = rss_mb(server)
        command = ["curl", "-sf", "-F", "purpose=batch", "-F", f"file=@{large}", f"{server.url}/files"]
        made = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        id = client.files.list().data[0].id
        assert id in made
        read = subprocess.run(
            ["curl", "-sf", f"{server.url}/files/{id}/content", "-o", "/dev/null", "-w", "%{size_download}"],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        assert read.stdout == str(300 * MB)
        assert rss_mb(server) - before < 20


@promise("files.killed")
@pytest.mark.parametrize("ending", ["caller", "server"])
def test_of_a_file_whose_upload_did_not_end_nothing_is_kept(
    start_server: StartServer, recorder: Recorder, ending: str
) -> None:
    server = start_server()
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 99999999\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        "Content-Disposition: form-data; name=purpose\r\n\r\n"
        'batch\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        wire.sendall(head.encode() + b"y" * 3 * MB)
        eventually(lambda: _demand(bool(kept(server))), AssertionError)
        if ending == "server":
            server.kill()
    if ending == "server":
        server.start()
    with client_of(server, recorder) as client:
        assert list(client.files.list()) == []
        eventually(lambda: _demand(not kept(server)), AssertionError)


def _demand(true: bool) -> None:
    assert true


@promise("files.expiry")
def test_a_file_says_when_it_goes(client: OpenAI) -> None:
    after: Any = {"anchor": "created_at", "seconds": 3600}
    made = client.files.create(file=("a", b"x"), purpose="batch", expires_after=after)
    assert made.expires_at == made.created_at + 3600


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a real S3-compatible server with one bucket."""
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    with subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as moto:
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 20
            while True:
                try:
                    assert httpx2.put(f"{address}/bucket", headers={"host": f"127.0.0.1:{port}"}).status_code == 200
                    break
                except httpx2.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            yield address
        finally:
            moto.kill()


@promise("files.storage")
def test_bytes_may_be_in_an_s3_store(start_server: StartServer, recorder: Recorder, s3: str) -> None:
    names = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": s3, "AWS_REGION": "us-east-1"}
    server = start_server(GRAPHNEXUS_STORAGE_URL="s3://bucket/here", **names)
    content = os.urandom(7 * MB)
    with client_of(server, recorder) as client:
        made = client.files.create(file=("a", content), purpose="batch")
        assert client.files.content(made.id).read() == content
        assert kept(server) == []
        client.files.delete(made.id)
        listed = httpx2.get(f"{s3}/bucket?list-type=2").text
        assert "<Key>" not in listed


@promise("uploads.parts")
def test_parts_become_one_file(client: OpenAI) -> None:
    whole = os.urandom(300_000)
    upload = client.uploads.create(bytes=len(whole), filename="x/big.bin", mime_type="text/plain", purpose="batch")
    assert (upload.status, upload.filename) == ("pending", "big.bin")
    cuts = [whole[:100_000], whole[100_000:150_000], whole[150_000:]]
    parts = [client.uploads.parts.create(upload.id, data=cuts[at]) for at in (2, 0, 1)]
    order = [parts[1].id, parts[2].id, parts[0].id]
    done = client.uploads.complete(upload.id, part_ids=order, md5=hashlib.md5(whole).hexdigest())
    assert done.status == "completed"
    assert done.file
    assert client.files.content(done.file.id).read() == whole
    assert client.files.retrieve(done.file.id).filename == "big.bin"


@promise("uploads.refused")
def test_parts_that_do_not_add_up_are_refused(client: OpenAI, server: Server) -> None:
    def upload() -> str:
        return client.uploads.create(bytes=4, filename="a", mime_type="text/plain", purpose="batch").id

    id = upload()
    part = client.uploads.parts.create(id, data=b"abc")
    with pytest.raises(BadRequestError, match="3 bytes together"):
        client.uploads.complete(id, part_ids=[part.id])
    with pytest.raises(BadRequestError, match="more bytes"):
        client.uploads.parts.create(id, data=b"de")
    last = client.uploads.parts.create(id, data=b"d")
    with pytest.raises(BadRequestError) as refused:
        client.uploads.complete(id, part_ids=[part.id, part.id])
    assert refused.value.param == "part_ids[1]"
    with pytest.raises(BadRequestError) as refused:
        client.uploads.complete(id, part_ids=[part.id, last.id], md5="0" * 32)
    assert refused.value.param == "md5"
    assert client.uploads.cancel(id).status == "cancelled"
    for ask in (lambda: client.uploads.parts.create(id, data=b"d"), lambda: client.uploads.cancel(id)):
        with pytest.raises(BadRequestError, match="cancelled"):
            ask()
    with pytest.raises(NotFoundError):
        client.uploads.cancel("upload_none")
