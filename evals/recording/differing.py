"""What differs between a turn that was recorded and the same turn made again."""

import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from evals.recording.acts import Act, canonical, parsed

#: Whether a text says what the recorded one does; the first is the recorded one.
SameText = Callable[[str, str], Awaitable[bool]]

_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", " ": " "})


class Difference(BaseModel):
    model_config = ConfigDict(extra="forbid")

    #: `arguments`, `text` and `result` differ; `missing` was recorded and not made, `added` the other way round.
    what: Literal["arguments", "text", "result", "missing", "added"]
    #: Of the call, or `message`.
    name: str
    #: Where in the arguments: `$.city`, `$.days[0]`.
    path: str | None = None
    recorded: Any = None
    made: Any = None


async def differences(recorded: Sequence[Act], made: Sequence[Act], same: SameText) -> list[Difference]:
    """Calls of one turn are made at once, so that their order is no difference."""
    return [*await _of_texts(recorded, made, same), *_of_calls(_calls(recorded), _calls(made))]


def of_results(recorded: Sequence[Act], made: Sequence[Act]) -> list[Difference]:
    """Of calls that are the same: what they came to."""
    left = list(_calls(made))
    found = list[Difference]()
    for act in _calls(recorded):
        twin = next((one for one in left if one.key == act.key), None)
        if twin is None:
            continue
        left.remove(twin)
        if canonical(act.result) != canonical(twin.result):
            found.append(Difference(what="result", name=act.name, recorded=act.result, made=twin.result))
    return found


# ---------------------------------------------------------------- texts


async def exact(recorded: str, made: str) -> bool:
    return recorded == made


async def normal(recorded: str, made: str) -> bool:
    """The same words: blanks, line ends, kinds of quotes and dashes, and the layout of JSON do not count."""
    return _plain(recorded) == _plain(made)


async def any_text(recorded: str, made: str) -> bool:
    return True


def _plain(text: str) -> str:
    value = parsed(text) if text.strip()[:1] in ("{", "[") else None
    if isinstance(value, dict | list):
        return canonical(value)
    return " ".join(unicodedata.normalize("NFKC", text).translate(_QUOTES).split())


async def _of_texts(recorded: Sequence[Act], made: Sequence[Act], same: SameText) -> list[Difference]:
    then, now = _said(recorded), _said(made)
    if bool(then) != bool(now) and (_calls(recorded) or _calls(made)) and same is any_text:
        return []
    if then and now:
        return [] if await same(then, now) else [Difference(what="text", name="message", recorded=then, made=now)]
    if then:
        return [Difference(what="missing", name="message", recorded=then)]
    return [Difference(what="added", name="message", made=now)] if now else []


def _said(acts: Sequence[Act]) -> str:
    return "".join(act.asked for act in acts if act.kind == "message")


# ---------------------------------------------------------------- calls


def _calls(acts: Sequence[Act]) -> list[Act]:
    return [act for act in acts if act.kind != "message"]


def _of_calls(recorded: list[Act], made: list[Act]) -> Iterator[Difference]:
    then, now = _without_twins(recorded, made)
    for act in then:
        namesake = next((one for one in now if (one.kind, one.name) == (act.kind, act.name)), None)
        if namesake is None:
            yield Difference(what="missing", name=act.name, recorded=act.asked)
            continue
        now.remove(namesake)
        yield from _of_values(act.name, "$", act.asked, namesake.asked)
    for act in now:
        yield Difference(what="added", name=act.name, made=act.asked)


def _without_twins(recorded: list[Act], made: list[Act]) -> tuple[list[Act], list[Act]]:
    left, alone = list(made), list[Act]()
    for act in recorded:
        twin = next((one for one in left if one.key == act.key), None)
        if twin is None:
            alone.append(act)
        else:
            left.remove(twin)
    return alone, left


def _of_values(name: str, path: str, then: Any, now: Any) -> Iterator[Difference]:
    if canonical(then) == canonical(now):
        return
    if isinstance(then, dict) and isinstance(now, dict):
        for field in dict.fromkeys([*then, *now]):
            yield from _of_values(name, f"{path}.{field}", then.get(field), now.get(field))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for at, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _of_values(name, f"{path}[{at}]", one, other)
    else:
        yield Difference(what="arguments", name=name, path=path, recorded=then, made=now)
