"""Cells run in a sandbox as they do in IPython."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from nodes.sandbox import interpreter
from nodes.sandbox.port import Output
from tests.contract import promise
from tests.sandbox.running import PREPARED, Hand, needs_bwrap, needs_packages, opened

pytestmark = needs_bwrap


@pytest.fixture(scope="module")
async def hand() -> AsyncIterator[Hand]:
    async with opened() as one:
        yield one


@pytest.fixture(scope="module")
async def equipped() -> AsyncIterator[Hand]:
    """One with packages."""
    async with opened(interpreter.find(None, PREPARED)) as one:
        yield one


@promise("running.state")
async def test_what_a_cell_made_is_there_in_the_next(hand: Hand) -> None:
    assert await hand.logs("import math as maths\nradius = 2\ndef area(): return maths.pi * radius ** 2") == ""
    assert await hand.logs("radius = 1\nround(area(), 3)") == "3.142\n"
    assert await hand.logs("from __future__ import annotations") == ""
    assert await hand.logs("def late(x: Nothing): ...\nlate.__annotations__") == "{'x': 'Nothing'}\n"


@promise("running.state")
async def test_code_is_the_main_module_and_works_where_files_are(hand: Hand) -> None:
    assert await hand.logs("import os, sys; __name__, os.getcwd(), sys.argv") == "('__main__', '/mnt/data', [''])\n"
    await hand.put("beside.py", b"value = 42")
    assert await hand.logs("import beside; beside.value") == "42\n"
    assert "ModuleNotFoundError" in await hand.logs("import supervisor")
    assert "ModuleNotFoundError" in await hand.logs("import runner")


@promise("running.result")
@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("6 * 7", "42\n"),
        ("'é'", "'é'\n"),
        ("None", ""),
        ("6 * 7;", ""),
        ("6 * 7;  # no", ""),
        ("'a;'", "'a;'\n"),
        ("x = 6", ""),
        ("print(1)\n2", "1\n2\n"),
        ("if True:\n    3", ""),
        ("", ""),
        ("# nothing", ""),
        ("40 + 2\n# said", "42\n"),
        ("display('a', 2)", "'a'\n2\n"),
    ],
)
async def test_last_expression_is_shown(hand: Hand, code: str, shown: str) -> None:
    assert await hand.logs(code) == shown


@promise("running.result")
async def test_last_value_is_called_underscore(hand: Hand) -> None:
    await hand.logs("6 * 7")
    assert await hand.logs("_ + 1") == "43\n"


@promise("running.traceback")
async def test_exception_is_told_with_the_lines_of_its_cell(hand: Hand) -> None:
    await hand.logs("def divide(a):\n    # by nothing\n    return a / 0")
    told = await hand.logs("divide(1)")
    assert told.startswith("Traceback (most recent call last):\n  Cell In[")
    assert "line 1\n    divide(1)\n" in told
    assert "line 3, in divide\n    return a / 0\n" in told
    assert told.endswith("ZeroDivisionError: division by zero\n")
    assert "runner" not in told


@promise("running.traceback")
@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("x = (", "SyntaxError: '(' was never closed\n"),
        ("'\0'", "source code string cannot contain null bytes\n"),
        ("raise KeyError('a') from ValueError('b')", "KeyError: 'a'\n"),
        ("def deep(n): deep(n + 1)\ndeep(0)", "RecursionError: maximum recursion depth exceeded\n"),
        ("class Odd(Exception):\n    def __str__(self): 1 / 0\nraise Odd", ">\n"),
        ("class Odder:\n    def __repr__(self): return 1\nOdder()", "non-string (type int)\n"),
        ("raise BaseException('b')", "BaseException: b\n"),
        ("x = 'unpaired \\ud800'; raise ValueError(x)", "ValueError: unpaired \\ud800\n"),
    ],
)
async def test_odd_exception_is_told_without_our_frames(hand: Hand, code: str, last: str) -> None:
    told = await hand.logs(code)
    assert told.endswith(last)
    assert "runner" not in told
    assert "Cell In[" in told or "\0" in code or "__repr__" in code
    assert len(told) < 3000


@promise("running.order")
async def test_what_is_written_arrives_in_its_order(hand: Hand) -> None:
    code = """
import ctypes, os, subprocess, sys
print("python")
os.write(1, b"descriptor\\n")
print("error", file=sys.stderr)
subprocess.run(["echo", "program"])
!echo shell
os.system("echo system >&2")
print("no end", end="")
sys.stdout.flush()
ctypes.CDLL(None).puts(b" C");
"""
    assert await hand.logs(code) == "python\ndescriptor\nerror\nprogram\nshell\nsystem\nno end C\n"


@promise("running.order")
async def test_output_is_text_whatever_was_written(hand: Hand) -> None:
    assert (
        await hand.logs("import os; os.write(1, b'\\xff\\0\\xe2'); os.write(1, b'\\x82\\xac\\n');") == "\ufffd\ufffd€\n"
    )
    assert await hand.logs("print('\\ud800')") == "\\ud800\n"


@promise("running.live")
async def test_output_is_told_while_code_runs(hand: Hand) -> None:
    heard: asyncio.Queue[Output] = asyncio.Queue()
    code = "import time\nprint('early')\nwhile not __import__('os').path.exists('go'): time.sleep(0.01)\nprint('late')"
    running = asyncio.create_task(hand.run(code, listen=heard.put_nowait))
    assert await asyncio.wait_for(heard.get(), 5) == Output("logs", "early\n")
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@promise("running.await")
async def test_await_works_at_the_top_of_a_cell(hand: Hand) -> None:
    await hand.logs("import asyncio\nasync def slow(x):\n    await asyncio.sleep(0.01)\n    return x")
    await hand.logs("task = asyncio.ensure_future(slow(1)) if await slow(True) else None")
    assert await hand.logs("await task, await slow(2)") == "(1, 2)\n"
    assert await hand.logs("asyncio.run(slow(3))") == "3\n"


@promise("running.ipython")
async def test_lines_of_ipython_are_understood(hand: Hand) -> None:
    assert await hand.logs(
        "%matplotlib inline\nif True:\n    !echo one \\\n      two\nlines = !echo a; echo b\nlines"
    ) == ("one two\n['a', 'b']\n")
    assert await hand.logs('"""\n!echo no\n%cd /\n"""') == "'\\n!echo no\\n%cd /\\n'\n"
    assert await hand.logs("%%bash\ncd /\npwd") == "/\n"
    assert "packages that are installed" in await hand.logs("%pip install numpy")
    assert (await hand.logs("%prun f()")).endswith(
        "NameError: %prun is not available here; write plain Python instead.\n"
    )
    assert "Wall time" in await hand.logs("%%time\n6 * 7")
    told = await hand.logs("good = 1\n!echo\nbad bad")
    assert "line 3" in told and "SyntaxError" in told


@promise("running.ipython")
async def test_what_code_imports_from_ipython_is_there(hand: Hand) -> None:
    code = "from IPython.display import display, Image, HTML\nimport IPython\ndisplay(HTML('<b>'), 2)"
    assert await hand.logs(code) == "<b>\n2\n"
    await hand.put("dot.png", b"\x89PNG\r\n\x1a\n")
    assert [output.kind for output in (await hand.run("Image('dot.png')")).outputs] == ["image"]
    assert "ModuleNotFoundError" in await hand.logs("import IPython.core")


@promise("running.input")
async def test_input_fails_at_once(hand: Hand) -> None:
    assert (await hand.logs("input('name? ')")).endswith("nobody to ask here: put the value into the code.\n")
    assert await hand.logs("import sys; sys.stdin.read()") == "''\n"
    assert (await hand.command("cat; echo done"))[0] == "done\n"


def png_size(image: str) -> tuple[int, int]:
    raw = base64.b64decode(image)
    assert raw.startswith(b"\x89PNG")
    return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")


@needs_packages
@promise("running.plots")
async def test_figures_become_pictures_at_their_place(equipped: Hand) -> None:
    code = """
import matplotlib.pyplot as plt
import pandas as pd
plt.plot([1, 2, 3])
print("before")
plt.show()
print("after")
figure, axes = plt.subplots(figsize=(2, 2))
_ = axes.plot([3, 1])
print("last")
"""
    ran = await equipped.run(code, 60)
    assert ran.stopped is None
    assert [output.kind for output in ran.outputs] == ["logs", "image", "logs", "image"]
    assert [output.value for output in ran.outputs if output.kind == "logs"] == ["before\n", "after\nlast\n"]
    wide, small = [png_size(output.value) for output in ran.outputs if output.kind == "image"]
    assert wide > small
    assert await equipped.logs("plt.get_fignums()") == "[]\n"
    assert await equipped.logs("pd.DataFrame({'a': [1]})") == "   a\n0  1\n"
    for shown in ("figure", "from PIL import Image\nImage.new('RGB', (30, 20))", "plt.figure()\nplt.plot([1]);"):
        assert [output.kind for output in (await equipped.run(shown)).outputs] == ["image"]
    failed = await equipped.run("import matplotlib; matplotlib.use('agg')\nplt.plot([1]); plt.show(); 1 / 0")
    assert [output.kind for output in failed.outputs] == ["image", "logs"]


@needs_packages
@promise("running.plots")
async def test_font_cache_is_lent(equipped: Hand) -> None:
    code = "import logging; logging.basicConfig(level=10); import matplotlib.font_manager"
    _, said, status = await equipped.command(f"python -c '{code}'")
    assert status == 0
    assert "fontManager" in said
    assert "generated new" not in said


@promise("running.plots")
async def test_what_calls_itself_a_picture_is_looked_at(hand: Hand) -> None:
    fake = "class Fake:\n    def _repr_png_(self): return {}\nFake()"
    assert (await hand.run(fake.format("b'no picture'"))).outputs == []
    assert (await hand.run(fake.format("b'\\x89PNG\\r\\n\\x1a\\n' + bytes(5_000_000)"))).outputs[0].kind == "logs"
    assert "Fake object" in await hand.logs(fake.format("None"))
    many = await hand.run(
        "class Dot:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'\ndisplay(*[Dot()] * 40)"
    )
    assert 10 < [output.kind for output in many.outputs].count("image") < 40
