"""Skills in each kind of database: another owner's are not found, and those of requests go."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoints.page import Page
from checkpoints.skills import Skills
from checkpoints.storage import Storage
from graph.containers import Container
from graph.errors import NotFound, RequestError
from tests.contract import promise
from tests.store_graph import Caller


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def new(skills: Skills, name: str) -> tuple[str, str, str]:
    place, _ = await skills.write(once(name.encode()), 100)
    return name, f"About {name}.", place


def aged(caller: Caller, id: str) -> None:
    """As if it had come two days ago."""
    sql = "UPDATE skill SET created_at = created_at - 172800 WHERE id = ?"
    caller.store.database.write(lambda rows: rows.execute(sql, (id,))).result()


@promise("skills.kept")
async def test_skills_belong_to_their_owner(caller: Caller, tmp_path: Path) -> None:
    skills = Skills(caller.store.database, Storage.at(str(tmp_path / "files")))
    mine = await skills.create("me", await new(skills, "mine"))
    await skills.create("you", await new(skills, "yours"))
    second = await skills.add("me", mine.id, await new(skills, "second"), default=True)
    page = await skills.page("me", Page(20, "desc"))
    assert [(one.name, one.default_version, one.latest_version) for one in page or ()] == [("second", 2, 2)]
    assert await skills.find("you", mine.id) is None
    assert await skills.find("me", "skill_\0") is None
    assert await skills.version("you", mine.id, 1) is None
    assert not await skills.versions("you", mine.id)
    assert not await skills.prefer("you", mine.id, 1)
    assert not await skills.remove("you", mine.id)
    assert not await skills.remove_version("you", mine.id, 1)
    assert await skills.page("you", Page(20, "desc", mine.id)) is None
    with pytest.raises(NotFound):
        await skills.add("you", mine.id, await new(skills, "third"), default=False)
    with pytest.raises(RequestError, match="default"):
        await skills.remove_version("me", mine.id, 2)
    assert await skills.version("me", mine.id, 2) == second, "it is there still"
    assert [one async for one in skills.read(second.place)] == [b"second"]
    assert await skills.remove("me", mine.id)
    with pytest.raises(NotFound):
        await anext(skills.read(second.place))


@promise("skills.used")
async def test_skills_of_requests_are_kept_for_their_containers(caller: Caller, tmp_path: Path) -> None:
    skills = Skills(caller.store.database, Storage.at(str(tmp_path / "files")))
    kept, fresh, gone = [await skills.create("me", await new(skills, name), name) for name in ("kept", "fresh", "gone")]
    listed = await skills.create("me", await new(skills, "listed"))
    container = Container("cntr_1", "me", "auto", 0, 0, 20, "1g", (), None, [(kept.id, "1")])
    await caller.store.containers.create(container)
    for one in (kept, gone, listed):
        aged(caller, one.id)
    assert await skills.expire() == 1
    assert [await skills.find("me", one.id) is not None for one in (kept, fresh, gone, listed)] == [
        True, True, False, True
    ]  # fmt: skip
    assert [one.id for one in await skills.page("me", Page(20, "desc")) or ()] == [listed.id]
    assert await skills.inline("you", "kept") is None
    found = await skills.inline("me", "kept")
    assert found and found.skill_id == kept.id
