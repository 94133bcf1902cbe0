"""Responses are listed in pages, from every kind of store."""

from checkpoints.page import Page
from checkpoints.responses import Wanted
from tests.contract import promise
from tests.store_graph import Caller

MADE_AT = 1_795_000_000


async def ids(caller: Caller, wanted: Wanted, page: Page, owner: str = "local") -> list[str]:
    found = await caller.store.responses.page(owner, wanted, page)
    assert found is not None
    return [stored.record["id"] for stored in found]


@promise("recordings.list")
async def test_pages_join_without_a_gap_in_both_orders(caller: Caller) -> None:
    made = sorted([(await caller.ask(f"Question {n}")).record["id"] for n in range(5)])
    for order, wanted in (("asc", made), ("desc", made[::-1])):
        first = await ids(caller, Wanted(), Page(2, order))  # type: ignore[arg-type]
        assert first == wanted[:3], "one more than the page holds"
        assert await ids(caller, Wanted(), Page(9, order, first[1])) == wanted[2:]  # type: ignore[arg-type]


@promise("recordings.list", "recordings.owners")
async def test_what_is_asked_for_is_found_and_nothing_of_others(caller: Caller) -> None:
    made = (await caller.ask("Question")).record["id"]
    page = Page(9, "desc")
    assert await ids(caller, Wanted("completed", MADE_AT, MADE_AT + 1), page) == [made]
    for nothing in (Wanted("failed"), Wanted(since=MADE_AT + 1), Wanted(until=MADE_AT)):
        assert await ids(caller, nothing, page) == []
    assert await ids(caller, Wanted(), page, "other") == []
    assert await caller.store.responses.page("other", Wanted(), Page(9, "desc", made)) is None
    assert await caller.store.responses.page("local", Wanted(), Page(9, "desc", "resp_none")) is None
