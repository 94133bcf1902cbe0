"""The index of windows in each kind of store: what filters let through, what words and vectors find, what is swept."""

import asyncio
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoints.feed import LocalFeed
from checkpoints.filtering import clause
from checkpoints.ingestion import Ingestions
from checkpoints.vector_files import VectorFiles, Wanted
from checkpoints.vector_stores import Draft, VectorStores
from checkpoints.windows import Windows
from graph import filters
from graph.errors import Json, LeaseLost, RequestError
from graph.vector_stores import Attributes, Edition, Job, Scope, Window
from tests.contract import promise
from tests.store_graph import Caller

OWNER, SPACE = "ann", "space"
VALUES: Sequence[str | float | bool] = (
    "", "a", "b", "ab", "Ä", "1", "true", 0, 1, -1, 1.5, -0.0, 2**53, 2**53 + 1, 1e300, True, False
)  # fmt: skip


@dataclass
class Hand:
    """Stores whose files are made searchable by hand."""

    caller: Caller
    stores: VectorStores
    files: VectorFiles
    jobs: Ingestions
    index: Windows

    async def store(self, *attributes: Attributes, owner: str = OWNER) -> tuple[str, list[str]]:
        """Its id, and those of its files, which wait."""
        made = await self.stores.create(owner, Draft("any"))
        ids = [f"file-{made.number}-{at}" for at in range(len(attributes))]
        for id in ids:
            sql = (
                "INSERT INTO file (id, owner, filename, purpose, size_bytes, place, created_at) "
                "VALUES (?, ?, 'a.txt', 'assistants', 1, 'none', 1)"
            )
            await self.write(sql, (id, owner))
        wanted = [Wanted(id, said) for id, said in zip(ids, attributes, strict=True)]
        await self.files.attach(owner, made.id, wanted)
        return made.id, ids

    async def taken(self) -> Mapping[str, Job]:
        return {job.file_id: job for job in await self.jobs.take(100)}

    async def found(self, scope: Scope, *words: str) -> dict[str, float]:
        """File → score."""
        scores = (await self.index.lexical(scope, words)).scores
        places = await self.index.places(scope, list(scores))
        return {place.file_id: scores[place.window] for place in places}

    async def read(self, sql: str, given: Sequence[Any] = ()) -> list[Any]:
        return await asyncio.wrap_future(self.caller.store.database.read(lambda r: r.execute(sql, given).fetchall()))

    async def write(self, sql: str, given: Sequence[Any] = ()) -> None:
        await asyncio.wrap_future(self.caller.store.database.write(lambda rows: rows.execute(sql, given).rowcount))


@pytest.fixture
async def hand(caller: Caller) -> Hand:
    database, feed = caller.store.database, LocalFeed()
    await caller.store.workers.beat()
    jobs = Ingestions(database, feed, caller.store.workers.id)
    return Hand(caller, VectorStores(database), VectorFiles(database, feed), jobs, Windows(database))


def made(space: str | None = None) -> Edition:
    return Edition(4, 2, ["english"], space, 10)


def vector(*numbers: float) -> bytes:
    length = math.hypot(*numbers)
    return struct.pack(f"<{len(numbers)}f", *(number / length for number in numbers))


# ---------------------------------------------------------------- filters


def lets(said: Json, attributes: Attributes) -> bool:
    """What a filter means, in plain Python."""
    kind = said["type"]
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(lets(one, attributes) for one in said["filters"])
    mine, value = attributes.get(said["key"]), said["value"]
    match kind:
        case "eq" | "ne":
            return same(mine, value) == (kind == "eq")
        case "in" | "nin":
            return any(same(mine, one) for one in value) == (kind == "in")
        case _:
            return ordered(kind, mine, value)


def same(mine: Any, value: Any) -> bool:
    return mine is not None and sort(mine) == sort(value) and mine == value


def ordered(kind: str, mine: Any, value: Any) -> bool:
    if mine is None or sort(mine) != sort(value) or sort(mine) == "truth":
        return False
    return {"gt": mine > value, "gte": mine >= value, "lt": mine < value, "lte": mine <= value}[kind]


def sort(value: Any) -> str:
    return "truth" if isinstance(value, bool) else "words" if isinstance(value, str) else "number"


_keys = st.sampled_from(["a", "b", "A", "missing"])
_values = st.sampled_from(VALUES)
_leaves = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), "key": _keys, "value": _values}
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["in", "nin"]), "key": _keys, "value": st.lists(_values, max_size=4)}
    ),
)
_filters = st.recursive(
    _leaves,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["and", "or"]), "filters": st.lists(inner, max_size=3)}
    ),
    max_leaves=8,
)


@promise("search.filters")
async def test_filters_mean_in_sql_what_they_mean_in_plain_python(hand: Hand) -> None:
    attributes: list[Attributes] = [{}, *({"a": one} for one in VALUES)]
    attributes += [{"a": one, "b": other} for one, other in zip(VALUES, reversed(VALUES), strict=True)]
    attributes += [{"b": one, "A": VALUES[0]} for one in VALUES[::3]]
    # Numbers are kept as 64-bit floats, as JSON's are read by most.
    kept = [{key: float(v) if sort(v) == "number" else v for key, v in one.items()} for one in attributes]
    _, ids = await hand.store(*attributes)
    database = hand.caller.store.database

    @settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_filters)
    def holds(said: Json) -> None:
        filters.check(said, "filters")
        where = clause(said)
        sql = f"SELECT f.file_id FROM vector_store_file f WHERE {where.sql}"
        found = {id for (id,) in database.read(lambda rows: rows.execute(sql, where.given).fetchall()).result()}
        asked = plain(said)
        assert found == {id for id, mine in zip(ids, kept, strict=True) if lets(asked, mine)}

    await asyncio.to_thread(holds)


_IN: Json = {"type": "in", "key": "a", "value": ["x"] * 500}
_HUGE: Sequence[tuple[Json, int]] = (
    (_IN, 2),
    ({"type": "and", "filters": [_IN] * 4}, 2),
    ({"type": "and", "filters": [{"type": "eq", "key": "a", "value": "x"}] * 199}, 2),
    ({"type": "or", "filters": [{"type": "or", "filters": []}] * 199}, 0),
    ({"type": "eq", "key": "\0", "value": "y\0"}, 1),
    ({"type": "nin", "key": "a", "value": ["y\0", 1e300]}, 2),
)


@promise("search.filters")
async def test_filters_as_large_and_odd_as_they_may_be_are_no_errors(hand: Hand) -> None:
    store, ids = await hand.store({"a": "x"}, {"a": "x", "\0": "y\0"})
    jobs = await hand.taken()
    for id in ids:
        await hand.index.add(jobs[id], 0, [Window("one", ["one"])], None)
        await hand.jobs.complete(jobs[id], made())
    for said, wanted in _HUGE:
        filters.check(said, "filters")
        assert await hand.index.count(Scope(OWNER, [store], said)) == wanted
    for said in (
        {"type": "or", "filters": [_IN] * 5},
        {"type": "or", "filters": [{"type": "or", "filters": []}] * 200},
    ):
        with pytest.raises(RequestError, match="may have"):
            filters.check(said, "filters")


def plain(said: Any) -> Any:
    """The filter with its numbers as they are kept."""
    if isinstance(said, dict):
        return {key: plain(value) for key, value in said.items()}
    if isinstance(said, list):
        return [plain(value) for value in said]
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else said


# ---------------------------------------------------------------- found


@promise("search.index.whole")
async def test_file_is_found_when_it_is_complete_and_not_before(hand: Hand) -> None:
    store, (id,) = await hand.store({})
    scope = Scope(OWNER, [store])
    job = (await hand.taken())[id]
    await hand.index.add(job, 0, [Window("Hello ", ["hello"]), Window("world", ["world"])], None)
    assert not await hand.found(scope, "hello")
    assert await hand.index.count(scope) == 0
    assert await hand.jobs.complete(job, made())
    assert list(await hand.found(scope, "hello")) == [id]
    assert await hand.index.count(scope) == 2
    assert await hand.index.languages(scope) == ["english"]
    assert await hand.index.text(job.edition, 0, 2) == "Hello world"
    assert not await hand.found(Scope("bob", [store]), "hello")
    with pytest.raises(LeaseLost):
        await hand.index.add(job, 2, [Window("late", ["late"])], None)


@promise("search.index.whole", "search.index.swept")
async def test_new_edition_takes_the_place_of_the_old_at_once_and_the_old_is_swept(hand: Hand) -> None:
    store, (id,) = await hand.store({})
    scope = Scope(OWNER, [store])
    for word in ("old", "new"):
        job = (await hand.taken())[id]
        await hand.index.add(job, 0, [Window(word, [word], vector(1, 2))] * 300, SPACE)
        before = list(await hand.found(scope, "old"))
        assert before == ([] if word == "old" else [id])
        await hand.jobs.complete(job, made(SPACE))
        await hand.files.attach(OWNER, store, [Wanted(id, {})])
    assert list(await hand.found(scope, "new")) == [id]
    assert not await hand.found(scope, "old")
    assert await hand.index.sweep() == 1
    assert await hand.read("SELECT COUNT(*), COUNT(DISTINCT edition) FROM search_window") == [(300, 1)]
    assert await hand.index.count(scope) == 300
    await hand.stores.remove(OWNER, store)
    assert not await hand.found(scope, "new")
    await hand.index.sweep()
    for table in ("search_window", "search_vector", "search_edition", "search_words"):
        assert await hand.read(f"SELECT COUNT(*) FROM {table}") == [(0,)], table


@promise("search.index.scores")
async def test_scores_are_those_of_bm25_in_every_database(hand: Hand) -> None:
    texts = ["a b c", "a a d", "b e", "c", "f f f f a", "g h i j k l m n o p"]
    store, ids = await hand.store(*({"n": at} for at in range(len(texts))))
    jobs = await hand.taken()
    for id, text in zip(ids, texts, strict=True):
        await hand.index.add(jobs[id], 0, [Window(text, text.split())], None)
        await hand.jobs.complete(jobs[id], made())
    for said in (None, {"type": "lte", "key": "n", "value": 3}):
        among = {id: Counter(text.split()) for id, text in zip(ids[: 4 if said else None], texts, strict=False)}
        found = await hand.found(Scope(OWNER, [store], said), "a", "b", "z")
        assert found == pytest.approx({id: score for id, score in bm25(among, "a", "b", "z").items() if score})


def bm25(texts: Mapping[str, Counter[str]], *words: str) -> dict[str, float]:
    """By the book."""
    mean = sum(map(Counter.total, texts.values())) / len(texts)
    scores = dict.fromkeys(texts, 0.0)
    for word in words:
        having = sum(word in text for text in texts.values())
        weight = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for id, text in texts.items():
            scores[id] += weight * text[word] * 2.2 / (text[word] + 1.2 * (0.25 + 0.75 * text.total() / mean))
    return scores


@promise("search.index.scores")
async def test_nearest_vectors_are_found_in_their_order(hand: Hand) -> None:
    store, ids = await hand.store({"a": 1}, {"a": 2}, {"a": 3})
    jobs = await hand.taken()
    for id, numbers in zip(ids, [(1, 0), (1, 1), (0, 1)], strict=True):
        await hand.index.add(jobs[id], 0, [Window("x", ["x"], vector(*numbers)), Window("y", ["y"])], SPACE)
        await hand.jobs.complete(jobs[id], made(SPACE))
    scope = Scope(OWNER, [store])
    found = await hand.index.nearest(scope, SPACE, vector(1, 0.1), 2)
    places = {place.window: place.file_id for place in await hand.index.places(scope, [id for id, _ in found])}
    assert [places[window] for window, _ in found] == ids[:2]
    assert [score for _, score in found] == pytest.approx([0.995, 0.774], abs=0.001)
    assert await hand.index.nearest(scope, "another", vector(1, 0), 2) == []
    assert await hand.index.nearest(scope, SPACE, vector(1, 0, 0), 2) == []
    filtered = await hand.index.nearest(
        Scope(OWNER, [store], {"type": "gt", "key": "a", "value": 1}), SPACE, vector(1, 0), 9
    )
    assert len(filtered) == 2
    assert await hand.index.cosines(SPACE, vector(1, 0.1), [window for window, _ in found]) == pytest.approx(
        dict(found)
    )


@promise("search.index.scores")
async def test_words_of_every_script_are_kept_whole(hand: Hand) -> None:
    words = ["日本", "ห้", "किताब", "кни", "ünïcödé", "x1", "가격", "שלום", "ー種", "𝒳", "a" * 64]
    store, (id,) = await hand.store({})
    job = (await hand.taken())[id]
    await hand.index.add(job, 0, [Window("any", words)], None)
    await hand.jobs.complete(job, made())
    for word in words:
        assert await hand.found(Scope(OWNER, [store]), word), word
        assert not await hand.found(Scope(OWNER, [store]), word[:-1] or "y"), word


@promise("search.index.whole")
async def test_file_that_has_expired_is_not_found_even_before_it_is_tidied_away(hand: Hand) -> None:
    store, (id,) = await hand.store({})
    job = (await hand.taken())[id]
    await hand.index.add(job, 0, [Window("hello", ["hello"])], None)
    await hand.jobs.complete(job, made())
    scope = Scope(OWNER, [store])
    assert await hand.found(scope, "hello")
    await hand.write("UPDATE file SET expires_at = 2 WHERE id = ?", (id,))
    assert not await hand.found(scope, "hello")
    assert await hand.index.count(scope) == 0
