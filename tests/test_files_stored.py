"""Files in each kind of store: what expires, what counts, what a process that died leaves."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checkpoints.database import Database
from checkpoints.files import Files, Named
from checkpoints.storage import Storage
from checkpoints.uploads import Uploads
from graph.errors import NotFound, RequestError
from graph.files import File
from tests.contract import promise
from tests.process import ROOT
from tests.store_graph import Caller

OWNER = "ann"


async def pieces(*said: bytes) -> AsyncIterator[bytes]:
    for piece in said:
        yield piece


@dataclass
class Hand:
    """Files of one store, and the folder that has their bytes."""

    database: Database
    folder: Path
    files: Files
    uploads: Uploads

    async def file(self, content: bytes, owner: str = OWNER, expires_s: int | None = None) -> File:
        place, size = await self.files.write(pieces(content))
        return await self.files.add(owner, Named("a", "batch", expires_s), place, size)

    async def upload(self, size_bytes: int) -> str:
        return (await self.uploads.create(OWNER, Named("a", "batch"), size_bytes, "text/plain")).id

    async def part(self, id: str, content: bytes) -> str:
        return (await self.uploads.add(OWNER, id, pieces(content), 1000)).id

    async def later(self, table: str) -> None:
        """Whatever expires has expired."""
        sql = f"UPDATE {table} SET expires_at = 1 WHERE expires_at IS NOT NULL"
        await asyncio.wrap_future(self.database.write(lambda rows: rows.execute(sql).rowcount))

    def kept(self) -> int:
        return len([path for path in self.folder.rglob("*") if path.is_file()])


@pytest.fixture
def hand(caller: Caller, tmp_path: Path) -> Hand:
    database, folder = caller.store.database, tmp_path / "files"
    storage = Storage.at(str(folder))
    files = Files(database, storage, limit_bytes=100, quota_bytes=50)
    return Hand(database, folder, files, Uploads(database, storage, files, limit_bytes=1000))


@promise("files.expiry")
async def test_a_file_goes_when_its_time_has_come_bytes_and_all(hand: Hand) -> None:
    goes, stays = await hand.file(b"x", expires_s=3600), await hand.file(b"y")
    assert hand.kept() == 2
    await hand.later("file")
    assert await hand.files.find(OWNER, goes.id) is None, "at once, before anything is removed"
    with pytest.raises(NotFound):
        await anext(hand.files.read(OWNER, goes.id))
    assert await hand.files.expire() == 1
    assert hand.kept() == 1
    assert b"".join([piece async for piece in hand.files.read(OWNER, stays.id)]) == b"y"


@promise("files.limits")
async def test_parts_count_to_what_an_owner_may_have(hand: Hand) -> None:
    await hand.file(b"x" * 20)
    id = await hand.upload(60)
    parts = [await hand.part(id, b"y" * 30)]
    with pytest.raises(RequestError) as refused:
        await hand.part(id, b"y")
    assert (refused.value.code, refused.value.param) == ("storage_limit_exceeded", "data")
    with pytest.raises(RequestError) as refused:
        await hand.file(b"z")
    assert refused.value.code == "storage_limit_exceeded"
    await hand.file(b"z" * 50, owner="bob")
    await hand.uploads.cancel(OWNER, id)
    again = await hand.upload(30)
    parts = [await hand.part(again, b"y" * 30)]
    whole = await hand.uploads.complete(OWNER, again, parts, None)
    assert whole.size_bytes == 30, "parts that become a file are not counted twice"


@promise("uploads.expiry")
async def test_an_upload_that_nobody_completes_goes_with_its_parts(hand: Hand) -> None:
    id = await hand.upload(4)
    part = await hand.part(id, b"data")
    await hand.later("upload")
    assert (await hand.uploads.find(OWNER, id)).status == "expired"
    with pytest.raises(RequestError, match="expired"):
        await hand.uploads.complete(OWNER, id, [part], None)
    assert hand.kept() == 1
    assert await hand.uploads.expire() == 1
    assert hand.kept() == 0
    with pytest.raises(NotFound):
        await hand.uploads.find(OWNER, id)


@promise("files.killed")
async def test_what_is_being_written_is_not_swept_and_what_was_left_is(tmp_path: Path) -> None:
    writer = (
        "import asyncio, sys\nfrom checkpoints.storage import Storage\n"
        "async def endless():\n    yield b'x' * (1 << 20)\n    print('.', flush=True)\n    await asyncio.sleep(99)\n"
        "asyncio.run(Storage.at(sys.argv[1]).write('key', endless(), 1 << 30))"
    )
    storage = Storage.at(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", writer, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            assert await storage.sweep() == 0
        finally:
            process.kill()
    assert await storage.sweep() == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@promise("files.storage")
@pytest.mark.parametrize("url", ["gs://ann:secret@bucket/a", "nope://ann:secret@bucket"])
def test_a_storage_that_cannot_be_is_one_line_without_secrets(url: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "server", "serve", "--port", "0", "--storage-url", url, "--data-dir", tmp_path]
    told = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert told.returncode == 2
    assert told.stderr.startswith("graphnexus: storage_url: ")
    assert "secret" not in told.stderr
    assert told.stderr.count("\n") == 1
