"""Who is let in: the gate on its own, over a real key store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoints import Keys, open_sqlite
from graph.errors import RequestError, Unauthorized
from server.auth import LOCAL, Door, Gate

ALONE = Door(open=True, loopback=True)
HERE = {"host": "127.0.0.1:8000"}


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[Keys]:
    async with open_sqlite(tmp_path / "a.db") as store:
        yield store.keys


def bearing(key: str) -> dict[str, str]:
    return {**HERE, "authorization": f"Bearer {key}"}


async def test_without_keys_everyone_here_is_local(keys: Keys) -> None:
    gate = Gate({}, keys, ALONE)
    assert await gate.owner(HERE) == LOCAL
    assert await gate.owner(bearing("whatever")) == LOCAL


async def test_a_key_belongs_to_its_owner(keys: Keys) -> None:
    secret = await keys.create("alice", "")
    gate = Gate({"sk-b": "bob"}, keys, ALONE)
    assert await gate.owner(bearing(secret)) == "alice"
    assert await gate.owner(bearing("sk-b")) == "bob"
    assert await gate.owner({**HERE, "authorization": f"bearer  {secret} "}) == "alice"


@pytest.mark.parametrize(
    "said", [None, "", "Bearer", "Bearer ", "Basic c2s6", "Bearer sk-wrong", "sk-b", "Bearer sk-b\udcff"]
)
async def test_with_keys_nobody_comes_in_without_one(keys: Keys, said: str | None) -> None:
    gate = Gate({"sk-b": "bob"}, keys, ALONE)
    headers = HERE if said is None else {**HERE, "authorization": said}
    with pytest.raises(Unauthorized) as refused:
        await gate.owner(headers)
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    assert "sk-wrong" not in refused.value.message


async def test_revoking_the_last_key_does_not_open_the_server(keys: Keys) -> None:
    secret = await keys.create("alice", "")
    await keys.revoke((await keys.list())[0].id)
    for headers in (HERE, bearing(secret)):
        with pytest.raises(Unauthorized):
            await Gate({}, keys, ALONE).owner(headers)


async def test_a_server_others_can_reach_is_shut_until_it_has_keys(keys: Keys) -> None:
    with pytest.raises(Unauthorized):
        await Gate({}, keys, Door(open=False, loopback=False)).owner(HERE)


async def test_with_keys_any_host_name_will_do(keys: Keys) -> None:
    gate = Gate({"sk-b": "bob"}, keys, ALONE)
    assert await gate.owner({"host": "api.example", "origin": "http://page.example", **bearing("sk-b")}) == "bob"


async def test_insecure_servers_keep_foreign_pages_out_all_the_same(keys: Keys) -> None:
    gate = Gate({}, keys, Door(open=True, loopback=False))
    assert await gate.owner({"host": "nexus.lan:8000", "origin": "http://nexus.lan:8000"}) == LOCAL
    with pytest.raises(RequestError, match="may not call"):
        await gate.owner({"host": "nexus.lan:8000", "origin": "http://evil.example"})
