"""Which container a tool's declaration means: one by name, the one of the conversation, or a new one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from checkpoints.retention import Ages
from graph.errors import NotFound, RequestError
from graph.state import Entry
from nodes.container.declaration import checked
from nodes.container.live import is_path, safe_name
from nodes.sandbox.choose import Choice
from tests.containers import AUTO, OWNER, PARAM, Hand, hand, rooms
from tests.contract import promise

DOMAINS: dict[str, Any] = {"type": "allowlist", "allowed_domains": ["Example.com"]}
SECRET = {"domain": "Example.com", "name": "KEY", "value": "not to be seen"}


@pytest.fixture(scope="module")
async def ways() -> AsyncIterator[Choice]:
    made = rooms()
    yield made
    await made.close()


@pytest.fixture
async def here(ways: Choice, tmp_path: Path) -> AsyncIterator[Hand]:
    async with hand("sqlite", tmp_path, ways) as made:
        yield made


def called(*ids: str) -> list[Entry]:
    """A conversation in whose course code was run in these containers."""
    kinds = ({"type": "code_interpreter_call", "container_id": id} for id in ids[::2])
    shells: Any = (
        {"type": "shell_call", "environment": {"type": "container_reference", "container_id": id}} for id in ids[1::2]
    )
    return [{"item": item} for pair in zip(kinds, shells, strict=False) for item in pair]


def bringing(*file_ids: str) -> list[Entry]:
    parts = [{"type": "input_file", "file_id": id} for id in file_ids]
    return [{"item": {"type": "message", "role": "user", "content": parts}}]


@promise("containers.auto")
async def test_auto_goes_on_in_the_newest_container_of_the_conversation(here: Hand) -> None:
    ids = [await here.new() for _ in range(2)]
    for id in ids:
        await here.run(id, "1")
    chosen = await here.containers.choose(OWNER, AUTO, called(*ids), PARAM)
    assert chosen == ids[1]
    assert await here.containers.choose(OWNER, AUTO, called(*reversed(ids)), PARAM) == ids[0]
    others = await here.containers.choose("another", AUTO, called(*ids), PARAM)
    assert others not in ids
    larger = await here.containers.choose(OWNER, {**AUTO, "memory_limit": "4g"}, called(*ids), PARAM)
    assert larger not in ids, "it does not fit"
    assert await here.store.containers.find(OWNER, larger) is None, "it is made when it is entered"
    assert await here.containers.delete(OWNER, ids[1])
    assert await here.containers.choose(OWNER, AUTO, called(*ids), PARAM) == ids[0]


@promise("containers.reference")
async def test_a_container_is_named_by_its_id(here: Hand) -> None:
    id = await here.new()
    await here.run(id, "1")
    assert await here.containers.choose(OWNER, id, [], PARAM) == id
    reference = {"type": "container_reference", "container_id": id}
    assert await here.containers.choose(OWNER, reference, [], PARAM) == id
    with pytest.raises(NotFound) as unknown:
        await here.containers.choose("another", id, [], PARAM)
    assert unknown.value.param == PARAM
    with pytest.raises(NotFound) as unknown:
        await here.containers.choose(OWNER, {**reference, "container_id": "cntr_0"}, [], PARAM)
    assert (unknown.value.status, unknown.value.param) == (404, f"{PARAM}.container_id")


@promise("containers.inputs")
async def test_files_that_are_named_or_sent_are_there_once(here: Hand) -> None:
    here.uploads.files = {
        "file-a": ("a.csv", b"1,2"), "file-b": ("../../b c.csv", b"3"), "file-c": ("a.csv", b"another"),
    }  # fmt: skip
    declared = {**AUTO, "file_ids": ["file-a", "file-b"]}
    id = await here.containers.choose(OWNER, declared, bringing("file-c", "file-a", "file-gone"), PARAM)
    ran = await here.run(id, "import os\nos.remove('/mnt/data/a.csv')\nopen('/mnt/data/b c.csv').read()")
    assert ran.said == "'3'"
    assert await here.files(id) == {"b c.csv": b"3", "a-2.csv": b"another"}
    assert await here.containers.choose(OWNER, declared, called(id, id) + bringing("file-c"), PARAM) == id
    await here.run(id, "1")
    assert sorted(await here.files(id)) == ["a-2.csv", "b c.csv"], "what code has removed stays away"


@promise("containers.inputs")
async def test_files_that_came_as_data_are_there_once(here: Hand) -> None:
    part = {"type": "input_file", "filename": "d.csv", "file_data": "data:text/csv;base64,NSw2"}
    other = {**part, "file_data": "Nyw4"}
    entries: list[Entry] = [{"item": {"type": "message", "role": "user", "content": [part, other, part]}}]
    id = await here.containers.choose(OWNER, AUTO, entries, PARAM)
    await here.run(id, "1")
    assert await here.files(id) == {"d.csv": b"5,6", "d-2.csv": b"7,8"}
    assert await here.containers.choose(OWNER, AUTO, called(id, id) + entries, PARAM) == id
    await here.run(id, "1")
    assert sorted(await here.files(id)) == ["d-2.csv", "d.csv"]


@promise("containers.refused")
async def test_what_cannot_be_had_is_refused_with_its_place(here: Hand) -> None:
    here.uploads.files = {"file-a": ("a", b"a"), "file-large": ("l", b"x" * (9 << 20))}
    for declared, param in [
        ({"file_ids": ["file-a", "file-x"]}, "file_ids[1]"),
        ({"file_ids": ["file-large"]}, "file_ids[0]"),
        ({"memory_limit": "16g"}, "memory_limit"),
        ({"skills": [{"type": "skill_reference", "skill_id": "skill_x"}]}, "skills"),
    ]:
        with pytest.raises(RequestError) as refused:
            await here.new(**declared)
        assert refused.value.param == f"{PARAM}.{param}"
    with pytest.raises(RequestError, match="container_memory_max"):
        await here.new(memory_limit="64g")


POLICY = ".network_policy"
REFUSED: list[tuple[Any, str]] = [
    (None, ""), (7, ""), ("con_1", ""), ({}, ".type"), ({"type": "local"}, ".type"),
    ({"type": "container_reference"}, ".container_id"),
    ({"type": "container_reference", "container_id": "x"}, ".container_id"),
    ({**AUTO, "file_ids": "file-a"}, ".file_ids"), ({**AUTO, "file_ids": [1]}, ".file_ids[0]"),
    ({**AUTO, "file_ids": ["file-a"] * 51}, ".file_ids"), ({**AUTO, "memory_limit": "2g"}, ".memory_limit"),
    ({**AUTO, "skills": [{"type": "x"}]}, ".skills[0].type"),
]  # fmt: skip
POLICIES: list[tuple[Any, str]] = [
    ("disabled", ""), ({"type": "open"}, ".type"), ({"type": "allowlist"}, ".allowed_domains"),
    ({"type": "allowlist", "allowed_domains": ["http://a/"]}, ".allowed_domains[0]"),
    ({**DOMAINS, "domain_secrets": [{**SECRET, "domain": "b.c"}]}, ".domain_secrets[0].domain"),
    ({**DOMAINS, "domain_secrets": [{**SECRET, "name": "a b"}]}, ".domain_secrets[0].name"),
    ({**DOMAINS, "domain_secrets": [{"domain": "Example.com", "name": "a"}]}, ".domain_secrets[0].value"),
]  # fmt: skip
REFUSED += [({**AUTO, "network_policy": policy}, POLICY + place) for policy, place in POLICIES]


@promise("containers.declared")
@pytest.mark.parametrize(("container", "param"), REFUSED)
def test_a_declaration_that_cannot_be_is_refused_with_its_place(container: Any, param: str) -> None:
    with pytest.raises(RequestError) as refused:
        checked(container, PARAM)
    assert (refused.value.status, refused.value.param) == (400, PARAM + param)


@promise("containers.secrets")
async def test_secrets_are_sealed_and_not_echoed(here: Hand) -> None:
    declared = {**AUTO, "network_policy": {**DOMAINS, "domain_secrets": [SECRET]}}
    echoed: Any = checked(declared, PARAM)
    assert echoed["network_policy"]["domain_secrets"] == [{"domain": "Example.com", "name": "KEY"}]
    id = await here.containers.choose(OWNER, declared, [], PARAM)
    told = await here.containers.told(OWNER, id)
    assert (told.packages, told.online) == (["numpy 2"], ("example.com",))
    made, _ = await here.containers.make(OWNER, declared)
    assert made.sealed
    assert SECRET["value"] not in f"{made} {made.sealed}"
    await here.store.containers.create(made)
    kept = await here.store.containers.find(OWNER, made.id)
    assert kept and (kept.sealed, kept.domains) == (made.sealed, ("example.com",))
    assert await here.containers.choose(OWNER, declared, called(made.id, made.id), PARAM) == made.id
    for other in (AUTO, {**AUTO, "network_policy": DOMAINS}):
        assert await here.containers.choose(OWNER, other, called(made.id, made.id), PARAM) != made.id


@promise("containers.paths")
async def test_names_of_callers_and_of_code_stay_beneath_mnt_data(here: Hand) -> None:
    names = {
        "/etc/passwd": "passwd", "..": "file", "a\\b\\c.txt": "c.txt", "": "file", "x\x00y\n.txt": "x y .txt",
        "ä" * 300 + ".csv": "ä" * 98 + ".csv", ".hidden": ".hidden",
    }  # fmt: skip
    assert {name: safe_name(name) for name in names} == names
    assert all(is_path(path) for path in ("a", "a/b.c", "a b/ü"))
    assert not any(map(is_path, ("", "/a", "../a", "a/../b", "a//b", "a/", "a\n", "\ud800", "./a", "x" * 1100)))


@promise("containers.old")
async def test_what_was_not_used_for_long_goes_bytes_and_all(here: Hand, tmp_path: Path) -> None:
    id = await here.new()
    await here.run(id, "open('/mnt/data/f', 'w').write('x')")
    ages = Ages(container_s=3600)
    assert (await here.store.retention.prune(ages)).containers == 0
    await asyncio.sleep(0.05)
    assert (await here.store.retention.prune(Ages(container_s=0.01))).containers == 1
    assert await here.store.containers.files(OWNER, id) is None
    await here.shelf.tidy(0)
    assert not list((tmp_path / "files").rglob("cntr-*"))
