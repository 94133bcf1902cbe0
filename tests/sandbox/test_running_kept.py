"""Variables outlive their sandbox, as far as they can be kept."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nodes.sandbox import interpreter
from tests.contract import promise
from tests.sandbox.running import BARE, PREPARED, Hand, needs_bwrap, needs_packages, opened

pytestmark = needs_bwrap


@asynccontextmanager
async def moved(code: str, python: interpreter.Interpreter = BARE) -> AsyncIterator[Hand]:
    """A sandbox with the variables that this code has made in another."""
    async with opened(python) as first:
        assert await first.logs(code) == ""
        saved = await first.sandbox.save()
        assert saved
        assert await first.logs("6 * 7") == "42\n"
    async with opened(python) as second:
        await second.sandbox.load(saved)
        assert (await second.command("ls -A /mnt/data /tmp/.scratch-*"))[0].count("\n") == 3  # two names and a line
        yield second


MADE = """
import json
from collections import OrderedDict
from dataclasses import dataclass
import os.path as paths
rate = 3
rows = [1, [2]]
alias = rows
text = "schön"
@dataclass
class Point:
    x: int
    def doubled(self): return self.x * rate
class Line(Point): ...
def scaled(x, factor=rate):
    "Say it."
    return x * factor * rate
point = Line(2)
held = {"f": scaled, "point": point}
"""


@promise("running.kept")
async def test_variables_come_back_in_another_sandbox() -> None:
    async with moved(MADE) as later:
        assert (
            await later.logs("json.dumps(1), rows is alias, text, paths.join('a', 'b')")
            == "('1', True, 'schön', 'a/b')\n"
        )
        assert (
            await later.logs("point.doubled(), isinstance(point, Point), held['point'] is point") == "(6, True, True)\n"
        )
        assert (
            await later.logs("rate = 10\nscaled(2), held['f'] is scaled, scaled.__doc__") == "(60, True, 'Say it.')\n"
        )
        assert "line 17, in scaled\n    return x * factor * rate\n" in await later.logs("scaled(None)")
        assert "Cell In[1]" not in await later.logs("1 / 0")
        assert await later.logs("OrderedDict(a=1)['a']") == "1\n"


@promise("running.kept.bad")
async def test_variable_that_cannot_be_kept_spoils_no_other() -> None:
    code = """
import threading
lock = threading.Lock()
file = open("/tmp/x", "w")
steps = (n for n in range(3))
class Bad:
    def __reduce__(self): raise BaseException("no")
bad = Bad()
class Worse:
    def __getstate__(self): return (1,)
    def __setstate__(self, state): raise ValueError("never")
worse = Worse()
large = b"x" * (80 << 20)
good, better = [1], {"a": 1}
"""
    async with moved(code) as later:
        assert await later.logs("sorted({'lock', 'file', 'steps', 'bad', 'large'} & {*globals()})") == "[]\n"
        assert (
            await later.logs("good, better, Bad.__name__, threading.__name__")
            == "([1], {'a': 1}, 'Bad', 'threading')\n"
        )


@promise("running.kept.bad")
async def test_what_cannot_be_read_again_is_left_out() -> None:
    async with opened() as hand:
        for junk in (b"", b"junk", b"\xff" * 100, b'{"cells": 1}' + (12).to_bytes(8, "big")):
            await hand.sandbox.load(junk)
        assert await hand.sandbox.save() is None
        assert await hand.logs("6 * 7") == "42\n"


@promise("running.kept.bad")
async def test_saving_that_takes_for_ever_ends() -> None:
    async with opened() as hand:
        await hand.logs(
            "class Slow:\n    def __reduce__(self):\n        import time; time.sleep(60)\nslow = Slow()\nk = 1"
        )
        began = time.monotonic()
        saved = await hand.sandbox.save()
        assert time.monotonic() - began < 40
        assert await hand.logs("k") == "1\n"
    async with opened() as later:
        await later.sandbox.load(saved or b"")
        assert await later.logs("k, 'slow' in globals()") == "(1, False)\n"


@needs_packages
@promise("running.kept")
async def test_tables_arrays_and_lambdas_come_back() -> None:
    code = "import numpy as np, pandas as pd\nk = 2\nf = lambda x: x * k\na = np.arange(3)\nt = pd.DataFrame({'a': a})"
    async with moved(code, interpreter.find(None, PREPARED)) as later:
        assert await later.logs("f(2), a.sum(), t.a.tolist(), pd.__name__") == "(4, np.int64(3), [0, 1, 2], 'pandas')\n"
