"""A database of another version or program, starts at the same moment, and what is the same for both kinds."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints import Unusable, open_postgres, open_sqlite
from graph.errors import StoreUnavailable
from tests import postgres
from tests.contract import promise
from tests.postgres import run
from tests.process import ROOT, free_port
from tests.store_graph import Caller, opened


@promise("store.upgrade")
async def test_later_schema_is_refused_and_one_that_only_adds_is_not(tmp_path: Path) -> None:
    url = postgres.url_of(tmp_path)
    async with open_postgres(url) as store:
        stored = await Caller(store).ask("Before")
    run(url, "UPDATE alembic_version SET version_num = '0002.7'")
    async with open_postgres(url) as store:
        assert await Caller(store).stored(stored.record["id"]) == stored
    for other in ("0003", "0003.1", "ae1027a6acf"):
        run(url, f"UPDATE alembic_version SET version_num = '{other}'")
        with pytest.raises(Unusable, match=f"'{other}'"):
            async with open_postgres(url):
                pass
        assert run(url, "SELECT version_num FROM alembic_version") == [(other,)]


@promise("store.upgrade")
async def test_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    url = postgres.url_of(tmp_path / "theirs", empty=True)
    run(url, "CREATE TABLE checkpoint (theirs INTEGER)", "INSERT INTO checkpoint VALUES (1)")
    with pytest.raises(Unusable, match='relation "checkpoint" already exists'):
        async with open_postgres(url):
            pass
    assert run(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("checkpoint",)]
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE checkpoint (theirs INTEGER)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(Unusable, match="another program"):
        async with open_sqlite(path):
            pass
    assert path.read_bytes() == before


@promise("store.migrate")
async def test_many_that_start_on_an_empty_database_make_it_once(tmp_path: Path) -> None:
    url = postgres.url_of(tmp_path, empty=True)
    code = (
        "import asyncio, sys; from checkpoints import migrations, open_postgres\n"
        "async def main():\n"
        "    async with open_postgres(sys.argv[1]) as store: await store.workers.beat(); print('there', flush=True)\n"
        "print('ready', flush=True); sys.stdin.readline(); asyncio.run(main())"
    )
    command = [sys.executable, "-W", "error", "-c", code, url]
    pipe = subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(4)
    ]
    for child in started:
        assert child.stdout
        assert await child.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(child.communicate(b"go\n") for child in started))
    assert said == [(b"there\n", b"")] * 4
    assert run(url, "SELECT COUNT(*) FROM worker") == [(4,)]


@promise("store.restart")
async def test_address_where_nobody_listens_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as refusal:
        async with open_postgres(f"postgresql://somebody:secret@127.0.0.1:{free_port()}/nothing"):
            pass
    assert "\n" not in refusal.value.message
    assert "secret" not in refusal.value.message


async def test_sql_is_the_same_for_both(name: str, tmp_path: Path) -> None:
    """Percent signs, bytes, numbers of every size and text of any script come back as they went."""
    async with opened(name, tmp_path / "store.db") as caller:
        stored = await caller.ask("100 % of ? and \\ ' \" \u2028 \U0001f600")
        assert await caller.questions(stored) == ["100 % of ? and \\ ' \" \u2028 \U0001f600"]
        assert await caller.store.facts.settle("100 %", "?") == "?"


async def test_room_of_what_was_deleted_is_made_good_again(tmp_path: Path) -> None:
    url = postgres.url_of(tmp_path)
    async with open_postgres(url) as store:
        caller = Caller(store)
        stored = await caller.ask(os.urandom(1_000_000).hex())  # which does not compress to nothing
        assert await store.responses.delete("local", stored.record["id"])
        before = await store.retention.size_bytes()
        await store.retention.vacuum()
        assert await store.retention.size_bytes() <= before - 1_000_000
        assert run(url, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'log'") == [(0,)]
        assert await caller.ask("On")
