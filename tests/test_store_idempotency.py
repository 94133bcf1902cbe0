"""The keys of requests in every kind of store: who has one, and when it is free again."""

import asyncio
from pathlib import Path

from checkpoints import Attempt
from graph.ids import new_id
from tests.contract import promise
from tests.forest import query
from tests.store_graph import Caller, opened


def attempt() -> Attempt:
    return Attempt(new_id("resp_"), b"hash", begun=False)


@promise("idempotency.together")
async def test_the_first_has_the_key_and_the_others_hear_of_it(name: str, tmp_path: Path, caller: Caller) -> None:
    await caller.store.workers.beat()
    async with opened(name, tmp_path / "store.db") as other:
        await other.store.workers.beat()
        asked = [attempt() for _ in range(12)]
        keys = [caller.store.idempotency, other.store.idempotency]
        held = await asyncio.gather(*(keys[at % 2].take("ann", "k", one) for at, one in enumerate(asked)))
    assert len(set(held)) == 1
    assert held[0] in asked


@promise("idempotency.free")
async def test_the_key_of_a_process_that_is_gone_is_free(name: str, tmp_path: Path, caller: Caller) -> None:
    mine, theirs = attempt(), attempt()
    async with opened(name, tmp_path / "store.db") as other:
        await other.store.workers.beat()
        await other.store.idempotency.take("ann", "k", theirs)
        assert await caller.store.idempotency.take("ann", "k", mine) == theirs
        await other.store.workers.leave()
    assert await caller.store.idempotency.take("ann", "k", mine) == mine


@promise("idempotency.free")
async def test_a_key_is_free_after_a_day_and_when_its_response_is_gone(
    name: str, tmp_path: Path, caller: Caller
) -> None:
    await caller.store.workers.beat()
    made, mine = attempt(), attempt()
    await caller.store.idempotency.take("ann", "k", made)
    await caller.ask("Hello", response_id=made.response_id)
    assert await caller.store.idempotency.take("ann", "k", mine) == made._replace(begun=True)
    query(name, tmp_path / "store.db", "UPDATE idempotency SET created_at = created_at - 86390")
    assert (await caller.store.idempotency.take("ann", "k", mine)).response_id == made.response_id
    query(name, tmp_path / "store.db", "UPDATE idempotency SET created_at = created_at - 20")
    assert await caller.store.idempotency.take("ann", "k", mine) == mine


@promise("idempotency.free")
async def test_a_key_given_back_is_free_unless_the_response_is_there(caller: Caller) -> None:
    await caller.store.workers.beat()
    first, second, third = attempt(), attempt(), attempt()
    await caller.store.idempotency.take("ann", "k", first)
    await caller.store.idempotency.release(first.response_id)
    assert await caller.store.idempotency.take("ann", "k", second) == second
    await caller.ask("Hello", response_id=second.response_id)
    await caller.store.idempotency.release(second.response_id)
    assert (await caller.store.idempotency.take("ann", "k", third)).response_id == second.response_id
