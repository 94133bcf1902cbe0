"""Conversations as chains of responses: what is inherited, what is not, and how they branch."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.conftest import Tell
from tests.contract import promise
from tests.upstream import Script, Upstream, calls, says, thinks

Json = dict[str, Any]


def said(script: Script) -> list[tuple[str, str]]:
    """The conversation as the model was last shown it."""
    return [(m["role"], m["content"]) for m in script.last.messages]


@promise("chain.order")
def test_a_chain_is_put_to_the_model_oldest_first(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = client.responses.create(model=model, input="a")
    second = client.responses.create(model=model, input="b", previous_response_id=first.id)
    third = client.responses.create(model=model, input="c", previous_response_id=second.id)
    assert said(script) == [
        ("user", "a"), ("assistant", "one"), ("user", "b"), ("assistant", "two"), ("user", "c")
    ]  # fmt: skip
    assert third.previous_response_id == second.id


@promise("chain.not_inherited")
def test_settings_are_not_inherited(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"))
    tool: Any = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    first = client.responses.create(
        model=model, input="a", instructions="Be brief.", temperature=0.1, tools=[tool], metadata={"k": "v"},
        text={"verbosity": "low"}, max_output_tokens=99,
    )  # fmt: skip
    assert said(script)[0] == ("system", "Be brief.")
    second = client.responses.create(model=model, input="b", previous_response_id=first.id)
    assert said(script) == [("user", "a"), ("assistant", "one"), ("user", "b")]
    assert not {"tools", "temperature", "max_tokens", "max_completion_tokens"} & script.last.body.keys()
    assert (second.instructions, second.tools, second.metadata, second.temperature) == (None, [], {}, 1.0)


@promise("chain.instructions")
def test_instructions_stand_before_everything(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"))
    first = client.responses.create(model=model, input="a")
    client.responses.create(model=model, input="b", previous_response_id=first.id, instructions="Now in French.")
    assert said(script)[0] == ("system", "Now in French.")
    listed = client.responses.input_items.list(first.id).data
    assert [item.type for item in listed] == ["message"]


@promise("chain.branches")
def test_two_children_of_one_parent_know_nothing_of_each_other(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("root"), says("left"), says("right"), says("left again"), says("right again"))
    root = client.responses.create(model=model, input="start")
    left = client.responses.create(model=model, input="go left", previous_response_id=root.id)
    right = client.responses.create(model=model, input="go right", previous_response_id=root.id)
    assert "go left" not in str(said(script))
    client.responses.create(model=model, input="on", previous_response_id=left.id)
    assert [text for _, text in said(script)] == ["start", "root", "go left", "left", "on"]
    client.responses.create(model=model, input="on", previous_response_id=right.id)
    assert [text for _, text in said(script)] == ["start", "root", "go right", "right", "on"]


@promise("chain.branches")
def test_children_made_at_the_same_time_are_branches_too(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("root"), *[lambda ask: says(f"to {ask.messages[-1]['content']}")] * 16)
    root = client.responses.create(model=model, input="start")

    def child(number: int) -> None:
        first = client.responses.create(model=model, input=f"n{number}", previous_response_id=root.id)
        again = client.responses.create(model=model, input=f"again {number}", previous_response_id=first.id)
        assert (first.output_text, again.output_text) == (f"to n{number}", f"to again {number}")
        mine = next(a for a in script.seen if a.messages[-1]["content"] == f"again {number}")
        texts = [message["content"] for message in mine.messages]
        assert texts == ["start", "root", f"n{number}", f"to n{number}", f"again {number}"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(child, range(8)))


@promise("chain.fork")
def test_a_chain_can_be_forked_at_any_turn(client: OpenAI, script: Script, model: str) -> None:
    script.will(*(says(f"a{n}") for n in range(6)), says("fork"))
    ids: list[str] = []
    for turn in range(6):
        parent = ids[-1] if ids else None
        ids.append(client.responses.create(model=model, input=f"u{turn}", previous_response_id=parent).id)
    client.responses.create(model=model, input="other", previous_response_id=ids[2])
    assert [text for _, text in said(script)] == ["u0", "a0", "u1", "a1", "u2", "a2", "other"]
    assert client.responses.retrieve(ids[5]).output_text == "a5"


@pytest.mark.parametrize("parent", ["resp_" + "0" * 48, "resp_x", "nonsense", "msg_1", "", "é\u0000"])
@promise("chain.unknown_parent")
def test_an_unknown_parent_is_refused(http: httpx2.Client, model: str, parent: str) -> None:
    answer = http.post("/responses", json={"model": model, "input": "q", "previous_response_id": parent})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("previous_response_not_found", "invalid_value")
    assert answer.json()["error"]["param"] == "previous_response_id"


@promise("chain.unknown_parent", "delete")
def test_a_deleted_parent_is_unknown_but_its_children_live(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = client.responses.create(model=model, input="a")
    second = client.responses.create(model=model, input="b", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="c", previous_response_id=first.id)
    assert refused.value.code == "previous_response_not_found"
    client.responses.create(model=model, input="c", previous_response_id=second.id)
    assert [text for _, text in said(script)] == ["a", "one", "b", "two", "c"]


@promise("store.false")
def test_what_is_not_stored_cannot_be_continued_or_read(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"))
    response = client.responses.create(model=model, input="a", store=False)
    assert response.store is False
    with pytest.raises(NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(NotFoundError):
        client.responses.input_items.list(response.id)
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="b", previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_found"


@promise("store.false")
def test_what_is_not_stored_can_continue_what_is(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = client.responses.create(model=model, input="a")
    client.responses.create(model=model, input="aside", previous_response_id=first.id, store=False)
    assert [text for _, text in said(script)] == ["a", "one", "aside"]
    client.responses.create(model=model, input="b", previous_response_id=first.id)
    assert [text for _, text in said(script)] == ["a", "one", "b"]


@promise("chain.stateless")
def test_a_client_that_keeps_its_own_history_sends_everything_back(client: OpenAI, script: Script, model: str) -> None:
    tool: Any = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    script.will(thinks("Hm.", calls("f", x=1, id="call_f")), says("done"))
    first = client.responses.create(model=model, input="a", tools=[tool], store=False)
    history: Any = [{"role": "user", "content": "a"}, *(item.to_dict() for item in first.output)]
    history.append({"type": "function_call_output", "call_id": "call_f", "output": "2"})
    client.responses.create(model=model, input=history, tools=[tool], store=False)
    assert [m["role"] for m in script.last.messages] == ["user", "assistant", "tool"]
    assert script.last.messages[1]["tool_calls"][0]["id"] == "call_f"


@promise("reasoning.encrypted")
def test_thoughts_go_round_sealed_when_nothing_is_stored(client: OpenAI, script: Script, model: str) -> None:
    tool: Any = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    script.will(thinks("The secret is nasturtium.", calls("f", x=1, id="call_f")), says("done"))
    first = client.responses.create(
        model=model, input="a", tools=[tool], store=False, include=["reasoning.encrypted_content"]
    )
    thought: Any = first.output[0].to_dict()
    assert thought["encrypted_content"]
    assert "nasturtium" not in thought["encrypted_content"]
    thought.pop("content", None)  # a client that keeps only what it cannot read
    output = {"type": "function_call_output", "call_id": "call_f", "output": "2"}
    history: Any = [{"role": "user", "content": "a"}, thought, first.output[1].to_dict(), output]
    client.responses.create(model=model, input=history, tools=[tool], store=False)
    assert "The secret is nasturtium." in str(script.last.messages)


@promise("reasoning.encrypted")
def test_thoughts_are_sealed_for_who_asks_or_stores_nothing(client: OpenAI, script: Script, model: str) -> None:
    script.will(*[thinks("Hm.", says("one"))] * 3)
    include: Any = ["reasoning.encrypted_content"]
    asked = client.responses.create(model=model, input="a", include=include)
    unstored = client.responses.create(model=model, input="a", store=False)
    stored = client.responses.create(model=model, input="a")
    sealed = ["encrypted_content" in made.output[0].to_dict() for made in (asked, unstored, stored)]
    assert sealed == [True, True, False]


@promise("reasoning.encrypted")
def test_a_seal_that_was_broken_or_is_foreign_is_passed_over(client: OpenAI, script: Script, model: str) -> None:
    script.will(thinks("Hm.", says("one")), says("two"))
    first = client.responses.create(model=model, input="a", store=False, include=["reasoning.encrypted_content"])
    thought: Any = first.output[0].to_dict()
    broken = {**thought, "encrypted_content": thought["encrypted_content"][:-4] + "AAAA", "content": []}
    foreign = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAforeign"}
    history: Any = [{"role": "user", "content": "a"}, broken, foreign, {"role": "user", "content": "b"}]
    assert client.responses.create(model=model, input=history, store=False).output_text == "two"


@promise("chain.item_reference")
def test_an_item_can_be_named_instead_of_sent(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = client.responses.create(model=model, input="remember me")
    asked = client.responses.input_items.list(first.id).data[0]
    given: Any = [
        {"type": "item_reference", "id": asked.id}, {"type": "item_reference", "id": first.output[0].id},
        {"role": "user", "content": "go on"},
    ]  # fmt: skip
    second = client.responses.create(model=model, input=given)
    assert said(script) == [("user", "remember me"), ("assistant", "one"), ("user", "go on")]
    bare: Any = [{"id": second.output[0].id}, {"role": "user", "content": "on"}]
    client.responses.create(model=model, input=bare)
    assert said(script) == [("assistant", "two"), ("user", "on")]


@promise("chain.item_reference")
def test_a_name_of_no_item_is_404(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("unstored"))
    unstored = client.responses.create(model=model, input="a", store=False)
    for id in (unstored.output[0].id, "msg_" + "0" * 48, "rs_x"):
        given: Any = [{"type": "item_reference", "id": id}]
        with pytest.raises(NotFoundError) as missing:
            client.responses.create(model=model, input=given)
        assert f"Item with id '{id}' not found." in missing.value.message
        assert missing.value.param == "input"


@promise("chain.pairing")
def test_a_call_left_without_its_output_is_refused(client: OpenAI, script: Script, model: str) -> None:
    tool: Any = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    script.will(calls("f", x=1, id="call_f"))
    first = client.responses.create(model=model, input="a", tools=[tool])
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="b", previous_response_id=first.id)
    assert "No tool output found for function call call_f." in refused.value.message
    assert refused.value.param == "input"


@promise("chain.pairing")
def test_an_output_of_no_call_is_refused(client: OpenAI, model: str) -> None:
    given: Any = [{"type": "function_call_output", "call_id": "call_x", "output": "1"}]
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input=given)
    assert "No tool call found for function call output with call_id call_x." in refused.value.message
    assert refused.value.param == "input"


@promise("chain.other_model")
def test_a_chain_can_change_its_model(client: OpenAI, script: Script, model: str, upstream: Upstream) -> None:
    script.will(says("one"))
    first = client.responses.create(model=model, input="a")
    other = upstream.on(f"{model}-other").will(says("two"))
    second = client.responses.create(model=other.model, input="b", previous_response_id=first.id)
    assert second.model == other.model
    assert [m["content"] for m in other.last.messages] == ["a", "one", "b"]


@promise("chain.phase")
def test_the_phase_of_a_message_is_kept(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    message = {"type": "message", "role": "assistant", "phase": "commentary", "content": "Let me look."}
    given: Any = [{"role": "user", "content": "a"}, message, {"role": "user", "content": "b"}]
    response = client.responses.create(model=model, input=given)
    listed = client.responses.input_items.list(response.id, order="asc").data
    assert listed[1].to_dict()["phase"] == "commentary"


@promise("chain.deep", "chain.fork")
def test_a_chain_of_a_thousand_turns_is_whole_and_forks_in_the_middle(
    http: httpx2.Client, script: Script, model: str
) -> None:
    script.always(says("Yes."))
    ids: list[str | None] = [None]
    for turn in range(1000):
        body = {"model": model, "input": f"u{turn}", "previous_response_id": ids[-1]}
        ids.append(http.post("/responses", json=body).json()["id"])
    whole = [text for turn in range(1000) for text in (f"u{turn}", "Yes.")]
    assert [text for _, text in said(script)] == whole[:-1]
    http.post("/responses", json={"model": model, "input": "fork", "previous_response_id": ids[500]})
    assert [text for _, text in said(script)] == [*whole[:1000], "fork"]


@promise("chain.incomplete_parent")
def test_an_incomplete_response_can_be_continued(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("It all", finish="length"), says("began"))
    first = client.responses.create(model=model, input="a", max_output_tokens=16)
    assert first.status == "incomplete"
    client.responses.create(model=model, input="go on", previous_response_id=first.id)
    assert said(script) == [("user", "a"), ("assistant", "It all"), ("user", "go on")]


@promise("chain.failed_parent")
def test_a_failed_response_cannot_be_continued(tell: Tell, client: OpenAI, script: Script, model: str) -> None:
    script.will(says("half an answer").cuts(after=1))
    failed = tell(input="a")[-1]["response"]
    assert failed["status"] == "failed"
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="b", previous_response_id=failed["id"])
    assert refused.value.param == "previous_response_id"
