"""`/v1/containers` through the official client."""

import sqlite3
import time
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.conftest import StartServer
from tests.contract import promise
from tests.process import Server
from tests.told import eventually

Json = dict[str, Any]
CONTENT = bytes(range(256)) * 40
UNKNOWN = "cntr_" + "0" * 48
NOWHERE = {"type": "allowlist", "allowed_domains": ["http://a/"]}


@promise("containers.crud")
def test_a_container_is_made_read_listed_and_deleted(client: OpenAI, http: httpx2.Client) -> None:
    made = client.containers.create(
        name="work", memory_limit="4g", expires_after={"anchor": "last_active_at", "minutes": 5}
    )
    assert made.id.startswith("cntr_")
    assert http.get(f"/containers/{made.id}").json() == {
        "id": made.id, "object": "container", "name": "work", "status": "running", "created_at": made.created_at,
        "last_active_at": made.created_at, "expires_after": {"anchor": "last_active_at", "minutes": 5},
        "memory_limit": "4g", "network_policy": {"type": "disabled"},
    }  # fmt: skip
    assert abs(made.created_at - time.time()) < 60
    assert client.containers.retrieve(made.id).name == "work"
    assert made.id in [one.id for one in client.containers.list()]
    gone = http.delete(f"/containers/{made.id}").json()
    assert gone == {"id": made.id, "object": "container.deleted", "deleted": True}
    with pytest.raises(NotFoundError):
        client.containers.retrieve(made.id)


@promise("containers.listed")
def test_containers_are_listed_in_pages_and_by_name(client: OpenAI, http: httpx2.Client) -> None:
    name = f"page-{time.time_ns()}"
    ids = [client.containers.create(name=name).id for _ in range(5)]
    client.containers.create(name="another")
    assert [one.id for one in client.containers.list(name=name)] == ids[::-1]
    first = client.containers.list(name=name, order="asc", limit=2)
    assert ([one.id for one in first.data], first.has_more) == (ids[:2], True)
    assert [one.id for one in first] == ids, "the client asks for the pages that follow"
    assert http.get("/containers", params={"name": "nobody's"}).json() == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False
    }  # fmt: skip
    assert http.get("/containers", params={"after": UNKNOWN}).json()["error"]["param"] == "after"
    assert http.get("/containers", params={"limit": "0"}).status_code == 400


@promise("containers.files")
def test_files_go_in_and_out(client: OpenAI, http: httpx2.Client) -> None:
    id = client.containers.create(name="files").id
    made = client.containers.files.create(id, file=("../../etc/ü x.bin", CONTENT))
    assert made.id.startswith("cfile_")
    assert http.get(f"/containers/{id}/files/{made.id}").json() == {
        "id": made.id, "object": "container.file", "container_id": id, "path": "/mnt/data/ü x.bin", "bytes": 10240,
        "source": "user", "created_at": made.created_at,
    }  # fmt: skip
    answer = client.containers.files.content.with_raw_response.retrieve(made.id, container_id=id)
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == "10240"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%C3%BC%20x.bin")
    again = client.containers.files.create(id, file=("ü x.bin", b"newer"))
    assert (again.id, again.bytes) == (made.id, 5), "the file of this name"
    assert client.containers.files.content.retrieve(made.id, container_id=id).read() == b"newer"
    others = [client.containers.files.create(id, file=(f"{n}", b"")).id for n in range(3)]
    assert [file.id for file in client.containers.files.list(id, order="asc")] == [made.id, *others]
    assert [file.id for file in client.containers.files.list(id, limit=1)] == [*others[::-1], made.id]
    gone = http.delete(f"/containers/{id}/files/{made.id}").json()
    assert gone == {"id": made.id, "object": "container.file.deleted", "deleted": True}
    with pytest.raises(NotFoundError):
        client.containers.files.content.retrieve(made.id, container_id=id)
    client.containers.delete(id)


@promise("containers.files")
def test_files_of_the_files_api_are_copied_in(client: OpenAI) -> None:
    sent = [client.files.create(file=("a.csv", content), purpose="user_data").id for content in (b"1", b"22")]
    made = client.containers.create(name="copies", file_ids=sent)
    assert {(file.path, file.bytes) for file in client.containers.files.list(made.id)} == {
        ("/mnt/data/a.csv", 1), ("/mnt/data/a-2.csv", 2),
    }  # fmt: skip
    client.files.delete(sent[0])
    copy = client.containers.files.create(made.id, file_id=sent[1])
    assert (copy.path, copy.bytes) == ("/mnt/data/a.csv", 2), "it takes the place of the one of its name"
    with pytest.raises(NotFoundError) as unknown:
        client.containers.create(name="x", file_ids=[sent[1], sent[0]])
    assert unknown.value.param == "file_ids[1]"
    with pytest.raises(NotFoundError) as unknown:
        client.containers.files.create(made.id, file_id=sent[0])
    assert unknown.value.param == "file_id"


@promise("containers.unknown", "errors.not_found")
def test_an_unknown_container_or_file_is_404(http: httpx2.Client, client: OpenAI) -> None:
    known = client.containers.create(name="known").id
    for id, file in ((UNKNOWN, "cfile_x"), ("x", "y"), ("%00", "%00"), (known, "cfile_x")):
        path = f"/containers/{id}"
        of_files = [http.get(f"{path}/files/{file}"), http.get(f"{path}/files/{file}/content")]
        of_files.append(http.delete(f"{path}/files/{file}"))
        if id != known:
            of_files += [http.get(path), http.get(f"{path}/files"), http.delete(path)]
            of_files.append(http.post(f"{path}/files", files={"file": ("a", b"b")}))
            of_files.append(http.post(f"{path}/files", json={"file_id": "file-x"}))
        assert {answer.status_code for answer in of_files} == {404}


@promise("containers.bodies")
@pytest.mark.parametrize(("body", "param"), [
    ({}, "name"), ({"name": ""}, "name"), ({"name": 7}, "name"), ({"name": "a", "memory_limit": "2g"}, "memory_limit"),
    ({"name": "a", "expires_after": {"anchor": "created_at", "minutes": 1}}, "expires_after.anchor"),
    ({"name": "a", "expires_after": {"anchor": "last_active_at", "minutes": 0}}, "expires_after.minutes"),
    ({"name": "a", "file_ids": [3]}, "file_ids[0]"),
    ({"name": "a", "network_policy": {"type": "x"}}, "network_policy.type"),
    ({"name": "a", "file_ids": ["file-x"] * 51}, "file_ids"), ({"name": "a", "memory_limit": "64g"}, "memory_limit"),
    ({"name": "a", "network_policy": NOWHERE}, "network_policy.allowed_domains[0]"),
])  # fmt: skip
def test_a_body_that_cannot_be_is_refused_with_its_place(http: httpx2.Client, body: Json, param: str) -> None:
    answer = http.post("/containers", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@promise("containers.bodies")
def test_a_form_without_a_whole_file_is_refused(client: OpenAI, http: httpx2.Client) -> None:
    id = client.containers.create(name="forms").id
    path = f"/containers/{id}/files"
    missing = http.post(path, files={"other": ("a", b"b")})
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "file")
    kind = {"content-type": "multipart/form-data; boundary=x"}
    cut = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf of'
    assert http.post(path, content=cut, headers=kind).status_code == 400
    assert http.post(path, content=b"", headers={"content-type": "multipart/form-data"}).status_code == 400
    assert http.post(path, json={}).json()["error"]["param"] == "file_id"
    assert client.containers.files.list(id).data == []


@promise("containers.owners", "containers.expired", "containers.room")
def test_owners_do_not_meet_and_what_is_not_used_expires(start_server: StartServer) -> None:
    server = start_server(GRAPHNEXUS_API_KEYS="ann:sk-ann,bob:sk-bob", GRAPHNEXUS_SANDBOX_DISK_BYTES=str(1 << 20))
    ann, bob = (OpenAI(base_url=server.url, api_key=f"sk-{name}", max_retries=0) for name in ("ann", "bob"))
    id = ann.containers.create(name="ann's").id
    file = ann.containers.files.create(id, file=("a", b"b")).id
    assert not list(bob.containers.list())
    for ask in (
        lambda: bob.containers.retrieve(id), lambda: bob.containers.delete(id), lambda: bob.containers.files.list(id),
        lambda: bob.containers.files.create(id, file=("a", b"c")),
        lambda: bob.containers.files.content.retrieve(file, container_id=id),
        lambda: bob.containers.files.delete(file, container_id=id),
    ):  # fmt: skip
        with pytest.raises(NotFoundError):
            ask()
    with pytest.raises(BadRequestError) as full:
        ann.containers.files.create(id, file=("large", b"x" * (1 << 20)))
    assert full.value.code == "file_too_large"
    assert [one.path for one in ann.containers.files.list(id)] == ["/mnt/data/a"]
    age(server, 21 * 60)
    expired = ann.containers.retrieve(id)
    assert expired.status == "expired"
    assert ann.containers.retrieve(id).status == "expired", "looking at it is no use then"
    assert ann.containers.files.content.retrieve(file, container_id=id).read() == b"b", "its files are there"
    ann.containers.files.create(id, file=("c", b"d"))
    assert ann.containers.retrieve(id).status == "running"


def age(server: Server, seconds: float) -> None:
    """As if the containers had been used that much earlier."""
    path = server.data_dir / "kept" / "graphnexus.db"

    def work() -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE container SET used_at = used_at - ?", (seconds,))
        connection.close()

    eventually(work, sqlite3.OperationalError)
