"""What the built-in model writes when a tool wants Python or shell commands: the user's own, or something that fits."""

import re
from typing import cast

from graph.errors import Json

_FENCED = re.compile(r"```[\w+-]*\n(.*?)```", re.S)
_QUOTED = re.compile(r"`([^`]+)`")
_PLOT = re.compile(r"\b(plot|chart|graph|figure|diagram|draw)\w*", re.I)
_SUM = re.compile(r"[\d.(][\d\s.()+*/%-]*[+*/%-][\d\s.()+*/%-]*[\d)]")
_LOOK = "import os\nfor name in sorted(os.listdir('/mnt/data')):\n    print(name, os.path.getsize('/mnt/data/' + name))"
#: Draws the columns of the first CSV file there is, else a sine.
_DRAW = """\
import csv, glob, math
import matplotlib.pyplot as plt
found = sorted(glob.glob('/mnt/data/*.csv'))
if found:
    rows = list(csv.reader(open(found[0])))
    head, body = rows[0], [[float(value) for value in row[1:]] for row in rows[1:]]
    for column, name in enumerate(head[1:]):
        plt.bar([row[0] for row in rows[1:]], [row[column] for row in body], label=name)
    plt.legend()
else:
    plt.plot([math.sin(x / 10) for x in range(100)])
plt.savefig('/mnt/data/plot.png')
print('Saved /mnt/data/plot.png')"""


def written(parameters: Json, text: str) -> Json | None:
    """Arguments of a tool that wants code, commands or questions; None for other tools."""
    wanted = cast(Json, parameters.get("properties") or {})
    if "commands" in wanted:
        return {"commands": _commands(text)}
    if "queries" in wanted:
        return {"queries": [text.strip() or "?"]}
    return {"code": _code(text)} if "code" in wanted else None


def _commands(text: str) -> list[str]:
    quoted = [one.strip() for one in _FENCED.findall(text)] or _QUOTED.findall(text)
    return quoted or ["ls -l"]


def _code(text: str) -> str:
    for pattern in (_FENCED, _QUOTED):
        if found := pattern.search(text):
            return found[1].strip()
    if _PLOT.search(text):
        return _DRAW
    found = _SUM.search(text)
    return found[0].strip() if found else _LOOK
