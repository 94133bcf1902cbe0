"""Conversations: their items, who may write to them, and responses made in them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.contract import promise
from tests.told import eventually
from tests.upstream import Script, says

Json = dict[str, Any]


def messages(*texts: str) -> Any:
    return [{"type": "message", "role": "user", "content": text} for text in texts]


def texts(items: Any) -> list[str]:
    return [item.content[0].text for item in items]


@promise("conversations.crud")
def test_a_conversation_is_made_read_changed_and_deleted(client: OpenAI, http: httpx2.Client) -> None:
    made = client.conversations.create(metadata={"a": "b"})
    assert made.id.startswith("conv_")
    assert http.get(f"/conversations/{made.id}").json() == {
        "id": made.id, "object": "conversation", "created_at": made.created_at, "metadata": {"a": "b"}
    }  # fmt: skip
    assert client.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert client.conversations.retrieve(made.id).metadata == {"c": "d"}
    gone = http.delete(f"/conversations/{made.id}").json()
    assert gone == {"id": made.id, "object": "conversation.deleted", "deleted": True}
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(made.id)


@promise("conversations.crud", "errors.not_found")
def test_an_unknown_conversation_is_404(http: httpx2.Client) -> None:
    for id in ("conv_" + "0" * 48, "conv_x", "nonsense", "%00"):
        path = f"/conversations/{id}"
        answers = [
            http.get(path), http.post(path, json={"metadata": {}}), http.delete(path), http.get(f"{path}/items"),
            http.post(f"{path}/items", json={"items": messages("a")}), http.get(f"{path}/items/msg_x"),
            http.delete(f"{path}/items/msg_x"),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [404] * 7


@promise("conversations.items")
def test_items_are_added_listed_read_and_deleted(client: OpenAI) -> None:
    made = client.conversations.create(items=messages("a", "b"))
    added = client.conversations.items.create(made.id, items=messages("c"))
    assert added.object == "list"
    assert texts(added.data) == ["c"]
    listed = client.conversations.items.list(made.id)
    assert texts(listed.data) == ["c", "b", "a"], "the newest comes first unless asked otherwise"
    assert all(item.id and item.status == "completed" for item in listed.data)  # type: ignore[union-attr]
    assert texts(client.conversations.items.list(made.id, order="asc").data) == ["a", "b", "c"]
    b = listed.data[1]
    assert client.conversations.items.retrieve(b.id, conversation_id=made.id).to_dict() == b.to_dict()  # type: ignore[arg-type]
    left = client.conversations.items.delete(b.id, conversation_id=made.id)  # type: ignore[arg-type]
    assert (left.id, left.object) == (made.id, "conversation")
    assert texts(client.conversations.items.list(made.id, order="asc").data) == ["a", "c"]
    with pytest.raises(NotFoundError):
        client.conversations.items.retrieve(b.id, conversation_id=made.id)  # type: ignore[arg-type]


@promise("conversations.items")
def test_items_are_listed_in_pages(client: OpenAI) -> None:
    made = client.conversations.create(items=messages(*(f"m{n}" for n in range(20))))
    client.conversations.items.create(made.id, items=messages(*(f"m{n}" for n in range(20, 25))))
    first = client.conversations.items.list(made.id, order="asc", limit=7)
    assert (len(first.data), first.has_more) == (7, True)
    assert texts(first) == [f"m{n}" for n in range(25)]


@promise("conversations.limits")
def test_twenty_items_go_in_at_once_and_no_more(client: OpenAI) -> None:
    many = messages(*(f"m{n}" for n in range(21)))
    with pytest.raises(BadRequestError) as refused:
        client.conversations.create(items=many)
    assert refused.value.param == "items"
    made = client.conversations.create()
    with pytest.raises(BadRequestError):
        client.conversations.items.create(made.id, items=many)


@pytest.mark.parametrize("by_id", [True, False])
@promise("conversations.responses")
def test_a_response_takes_up_a_conversation_and_adds_to_it(
    client: OpenAI, script: Script, model: str, by_id: bool
) -> None:
    script.will(says("one"), says("two"))
    made = client.conversations.create(items=messages("before"))
    named: Any = made.id if by_id else {"id": made.id}
    first = client.responses.create(model=model, input="a", conversation=named)
    assert first.conversation is not None
    assert first.conversation.id == made.id
    second = client.responses.create(model=model, input="b", conversation=named)
    assert [m["content"] for m in script.last.messages] == ["before", "a", "one", "b"]
    items = client.conversations.items.list(made.id, order="asc").data
    assert texts(items) == ["before", "a", "one", "b", "two"]
    assert items[-1].id == second.output[0].id


@promise("conversations.responses")
def test_deleting_a_response_leaves_its_items_in_the_conversation(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"))
    made = client.conversations.create()
    first = client.responses.create(model=model, input="a", conversation=made.id)
    client.responses.delete(first.id)
    assert texts(client.conversations.items.list(made.id, order="asc").data) == ["a", "one"]
    client.responses.create(model=model, input="b", conversation=made.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b"]


@promise("conversations.edit")
def test_the_model_does_not_see_an_item_that_was_deleted(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"))
    made = client.conversations.create(items=messages("secret", "open"))
    secret = client.conversations.items.list(made.id, order="asc").data[0]
    client.responses.create(model=model, input="a", conversation=made.id)
    client.conversations.items.delete(secret.id, conversation_id=made.id)  # type: ignore[arg-type]
    client.responses.create(model=model, input="b", conversation=made.id)
    assert [m["content"] for m in script.last.messages] == ["open", "a", "one", "b"]


@promise("conversations.locked")
def test_a_conversation_takes_one_response_at_a_time(client: OpenAI, script: Script, model: str) -> None:
    go_on = threading.Event()
    script.will(says("slow").pauses(after=0, until=go_on), says("after"))
    made = client.conversations.create()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.responses.create, model=model, input="a", conversation=made.id)
        script.wait_for(asks=1)
        with pytest.raises(BadRequestError) as refused:
            client.responses.create(model=model, input="b", conversation=made.id)
        go_on.set()
        assert running.result().output_text == "slow"
    assert (refused.value.code, refused.value.param) == ("conversation_locked", "conversation")
    assert client.responses.create(model=model, input="c", conversation=made.id).output_text == "after"
    assert texts(client.conversations.items.list(made.id, order="asc").data) == ["a", "slow", "c", "after"]


@promise("conversations.locked")
def test_of_many_responses_at_once_in_one_conversation_one_is_made(client: OpenAI, script: Script, model: str) -> None:
    go_on = threading.Event()
    script.will(says("won").pauses(after=0, until=go_on))
    made = client.conversations.create()
    codes: list[str | None] = []

    def ask(number: int) -> None:
        try:
            client.responses.create(model=model, input=f"n{number}", conversation=made.id)
        except BadRequestError as refused:
            codes.append(refused.code)
            if len(codes) == 7:
                go_on.set()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert codes == ["conversation_locked"] * 7
    assert len(client.conversations.items.list(made.id).data) == 2


@promise("conversations.unstored")
def test_a_response_that_is_not_stored_still_adds_to_its_conversation(
    client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"))
    made = client.conversations.create()
    first = client.responses.create(model=model, input="a", conversation=made.id, store=False)
    with pytest.raises(NotFoundError):
        client.responses.retrieve(first.id)
    client.responses.create(model=model, input="b", conversation=made.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b"]


@promise("conversations.responses")
def test_a_response_of_a_conversation_can_be_continued_outside_of_it(
    client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"), says("three"))
    made = client.conversations.create(items=messages("before"))
    first = client.responses.create(model=model, input="a", conversation=made.id)
    aside = client.responses.create(model=model, input="aside", previous_response_id=first.id)
    assert [m["content"] for m in script.last.messages] == ["before", "a", "one", "aside"]
    assert aside.conversation is None
    client.responses.create(model=model, input="b", conversation=made.id)
    assert [m["content"] for m in script.last.messages] == ["before", "a", "one", "b"]


@promise("conversations.crud", "chain.deleted_conversation")
def test_the_responses_of_a_deleted_conversation_live_on(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"))
    made = client.conversations.create()
    first = client.responses.create(model=model, input="a", conversation=made.id)
    client.conversations.delete(made.id)
    assert client.responses.retrieve(first.id).output_text == "one"
    client.responses.create(model=model, input="b", previous_response_id=first.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b"]


@promise("conversations.locked")
def test_a_reader_who_leaves_unlocks_the_conversation(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("never to end").stalls(after=1), says("next"))
    made = client.conversations.create()
    stream = client.responses.create(model=model, input="a", conversation=made.id, stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()
    assert script.last.left.wait(5)
    eventually(lambda: client.responses.create(model=model, input="b", conversation=made.id), BadRequestError)
    assert texts(client.conversations.items.list(made.id, order="asc").data) == ["b", "next"]


@pytest.mark.parametrize(("conversation", "status"), [
    ("conv_" + "0" * 48, 404), ("nonsense", 400), ({"id": "conv_x"}, 404), ({}, 400), (7, 400), ("", 400),
])  # fmt: skip
@promise("conversations.unknown")
def test_a_response_needs_a_conversation_that_is(
    http: httpx2.Client, model: str, conversation: Any, status: int
) -> None:
    answer = http.post("/responses", json={"model": model, "input": "q", "conversation": conversation})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["param"].startswith("conversation")


@promise("conversations.exclusive")
def test_a_conversation_and_a_parent_exclude_each_other(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"))
    made = client.conversations.create()
    first = client.responses.create(model=model, input="a")
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="b", previous_response_id=first.id, conversation=made.id)
    assert (refused.value.code, refused.value.param) == ("mutually_exclusive_parameters", "previous_response_id")


@pytest.mark.parametrize("metadata", [
    {f"k{n}": "v" for n in range(17)}, {"k" * 65: "v"}, {"k": "v" * 513}, {"k": 1}, {"k": None}, ["k"], "k",
])  # fmt: skip
@promise("metadata.limits")
def test_metadata_has_limits(http: httpx2.Client, model: str, metadata: Any) -> None:
    made = http.post("/conversations", json={}).json()["id"]
    answers = [
        http.post("/responses", json={"model": model, "input": "q", "metadata": metadata}),
        http.post("/conversations", json={"metadata": metadata}),
        http.post(f"/conversations/{made}", json={"metadata": metadata}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert all(answer.json()["error"]["param"].startswith("metadata") for answer in answers)


@promise("metadata.limits")
def test_metadata_up_to_its_limits_is_kept(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    metadata = {f"{n:0>64}": "v" * 512 for n in range(16)}
    made = client.responses.create(model=model, input="q", metadata=metadata)
    assert client.responses.retrieve(made.id).metadata == metadata
