"""Files go in and out of a sandbox over the channel, and nothing else does."""

from collections.abc import AsyncIterator

import pytest

from graph.errors import ToolFailed
from nodes.sandbox.port import Changes, Made, Room
from tests.contract import promise
from tests.sandbox.running import Hand, needs_bwrap, opened, ways

pytestmark = needs_bwrap


@pytest.fixture(scope="module")
async def hand() -> AsyncIterator[Hand]:
    async with opened() as one:
        yield one


@pytest.fixture
async def emptied(hand: Hand) -> Hand:
    await hand.command("rm -rf -- * .[!.]*")
    while await hand.sandbox.changes() != Changes([], []):
        pass  # many are told in several answers
    return hand


@promise("running.files")
async def test_files_go_in_and_come_out_whole(emptied: Hand) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for n in range(5):
            yield bytes([n]) * 700_001

    await emptied.sandbox.put("data/Größe 1.bin", chunks())
    content = await emptied.get("data/Größe 1.bin")
    assert content == b"".join(bytes([n]) * 700_001 for n in range(5))
    pieces = [len(piece) async for piece in emptied.sandbox.get("data/Größe 1.bin")]
    assert max(pieces) <= 1 << 20
    assert await emptied.logs("import os; os.path.getsize('data/Größe 1.bin')") == f"{len(content)}\n"
    await emptied.put("empty", b"")
    assert await emptied.get("empty") == b""
    await emptied.put("empty", b"not any more")
    assert await emptied.get("empty") == b"not any more"
    await emptied.sandbox.remove("empty")
    with pytest.raises(FileNotFoundError):
        await emptied.get("empty")
    await emptied.sandbox.remove("empty")
    assert (await emptied.command("ls -A . data"))[0] == ".:\ndata\n\ndata:\nGröße 1.bin\n"


@promise("running.files")
async def test_file_that_is_given_up_half_way_leaves_nothing(emptied: Hand) -> None:
    class Lost(Exception):
        pass

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 500_000
        raise Lost

    with pytest.raises(Lost):
        await emptied.sandbox.put("half", chunks())
    assert await emptied.sandbox.changes() == Changes([], [])
    assert (await emptied.command("ls -A"))[0] == ""


@promise("running.files")
async def test_file_that_does_not_fit_is_told_and_leaves_nothing() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    way = ways()
    one = Hand(await way.open(Room(disk_bytes=8 << 20)))
    with pytest.raises(ToolFailed, match="No space left|File too large"):
        await one.sandbox.put("large", endless())
    assert (await one.command("ls -A"))[0] == ""
    await one.put("small", b"fits")
    assert await one.get("small") == b"fits"
    await way.close()


@promise("running.changes")
async def test_changes_are_told_once(emptied: Hand) -> None:
    await emptied.put("given", b"1")
    assert await emptied.sandbox.changes() == Changes([], [])
    await emptied.logs("import os; os.makedirs('a/b'); open('a/b/new', 'w').write('22'); open('given', 'a').write('2')")
    found = await emptied.sandbox.changes()
    assert (sorted(found.made), found.gone) == ([Made("a/b/new", 2), Made("given", 2)], [])
    assert await emptied.sandbox.changes() == Changes([], [])
    for content in ("x", "y", "z"):  # of one size, and as quick as can be
        await emptied.logs(f"open('given', 'w').write('{content}');")
        assert await emptied.sandbox.changes() == Changes([Made("given", 1)], [])
    await emptied.logs("os.rename('given', 'taken'); os.remove('a/b/new')")
    found = await emptied.sandbox.changes()
    assert (found.made, sorted(found.gone)) == ([Made("taken", 1)], ["a/b/new", "given"])
    await emptied.logs("import os; os.makedirs('__pycache__'); open('__pycache__/x.pyc', 'w').close()")
    assert await emptied.sandbox.changes() == Changes([], [])


@promise("running.files.links")
async def test_no_link_pipe_or_device_is_followed(emptied: Hand) -> None:
    await emptied.logs("""
import os, socket
open("/tmp/outside", "w").write("outside")
os.symlink("/tmp/outside", "link")
os.symlink("/tmp", "folder")
os.symlink("/proc/1", "process")
os.symlink("loop", "loop")
os.mkfifo("pipe")
os.symlink("/dev/zero", "device")
socket.socket(socket.AF_UNIX).bind("socket")
os.mkdir("directory")
""")
    assert await emptied.sandbox.changes() == Changes([], [])
    for path in ("link", "folder/outside", "process/environ", "loop", "pipe", "device", "socket", "directory", "no/no"):
        with pytest.raises(FileNotFoundError):
            await emptied.get(path)
    for path in ("folder/made", "process/made", "pipe/made"):
        with pytest.raises(ToolFailed):
            await emptied.put(path, b"x")
    for path in ("link", "pipe", "device", "loop"):
        await emptied.put(path, b"in its place")
        assert await emptied.get(path) == b"in its place"
    with pytest.raises(ToolFailed):
        await emptied.put("directory", b"x")
    assert await emptied.logs("open('/tmp/outside').read(), os.listdir('/tmp').count('made')") == "('outside', 0)\n"
    await emptied.logs("os.remove('link'); os.symlink('/tmp/outside', 'link')")
    await emptied.sandbox.remove("link")
    await emptied.sandbox.remove("folder/outside")
    assert await emptied.logs("os.path.lexists('link'), os.path.exists('/tmp/outside')") == "(False, True)\n"


@promise("running.files.links")
async def test_file_that_becomes_a_link_all_the_time_gives_nothing_away(emptied: Hand) -> None:
    await emptied.logs("""
import os, threading
open("/tmp/hidden", "w").write("hidden")
os.makedirs("real", exist_ok=True)
open("real/file", "w").write("shown")
going = True
def swap():
    while going:
        os.symlink("/tmp/hidden", "real/other"); os.replace("real/other", "real/file")
        open("real/next", "w").write("shown"); os.replace("real/next", "real/file")
threading.Thread(target=swap, daemon=True).start()
""")
    seen = set[bytes]()
    for _ in range(100):
        try:
            seen.add(await emptied.get("real/file"))
        except FileNotFoundError:
            seen.add(b"none")
    await emptied.logs("going = False")
    assert seen <= {b"shown", b"none", b""}


@promise("running.files.names")
@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b", "a\nb", "x" * 256, "a/" * 600 + "b"]
)
async def test_name_that_leads_elsewhere_is_refused(hand: Hand, path: str) -> None:
    with pytest.raises(ToolFailed, match="is no path beneath /mnt/data"):
        await hand.put(path, b"x")
    with pytest.raises(ToolFailed):
        await hand.get(path)
    with pytest.raises(ToolFailed):
        await hand.sandbox.remove(path)


@promise("running.files.names", "running.changes")
async def test_odd_and_many_files_are_told_in_bounds(emptied: Hand) -> None:
    await emptied.logs("""
import os
for name in (b"\\xff", b"new\\nline", b"-rf", "schön".encode(), b"a b", b"\\x1b[31m"):
    open(name, "w").close()
deep = "d"
for _ in range(60):
    os.mkdir(deep); deep += "/d"
open("d/" * 50 + "deep", "w").close()
""")
    assert {made.path for made in (await emptied.sandbox.changes()).made} == {"-rf", "schön", "a b"}
    await emptied.logs("os.mkdir('many')\nfor n in range(1500): open(f'many/{n}', 'w').close()")
    told = [made.path for _ in range(3) for made in (await emptied.sandbox.changes()).made]
    assert len(told) == len(set(told)) == 1500
