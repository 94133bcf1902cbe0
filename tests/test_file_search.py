"""The `file_search` tool through the official client."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI

from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.test_vector_stores import filled
from tests.told import kinds, output
from tests.upstream import Script, Step, Upstream, calls, says

Json = dict[str, Any]
RESULTS = "file_search_call.results"
FEE = "The library card costs 20 euros a year."


def tool(store: str, **said: Any) -> Any:
    return {"type": "file_search", "vector_store_ids": [store], **said}


def searches(*queries: str) -> Step:
    return calls("file_search", queries=list(queries))


def told(script: Script) -> str:
    """What the model was told of its last search."""
    return next(message["content"] for message in reversed(script.last.messages) if message["role"] == "tool")


@promise("file_search.call", "file_search.citations")
def test_the_model_searches_and_cites(client: OpenAI, tell: Tell, script: Script, model: str) -> None:
    store, ids = filled(client)
    said = says("It costs 20 euros【1】. It opens at nine 【2】.")
    script.will(searches("price of a library card", "library card"), said)
    events = tell(input="What does it cost?", tools=[tool(store)], include=[RESULTS])
    call, message = output(events)
    assert call["queries"] == ["price of a library card", "library card"]
    assert call["status"] == "completed"
    first = call["results"][0]
    assert (first["filename"], first["file_id"], first["attributes"]) == ("fees.txt", ids["fees.txt"], {})
    assert first["text"].startswith(FEE) and 0 < first["score"] <= 1
    stem = "file_search_call."
    assert [kind for kind in kinds(events) if kind.startswith(stem)] == [
        stem + phase for phase in ("in_progress", "searching", "completed")
    ]
    assert '<passage mark="【1】" file="fees.txt">' in told(script) and FEE in told(script)
    (part,) = message["content"]
    assert part["text"] == "It costs 20 euros. It opens at nine."
    assert part["annotations"] == [
        {"type": "file_citation", "file_id": ids["fees.txt"], "filename": "fees.txt", "index": 17},
        {"type": "file_citation", "file_id": ids["hours.md"], "filename": "hours.md", "index": 35},
    ]
    live = [event["annotation"] for event in events if event["type"] == "response.output_text.annotation.added"]
    assert live == part["annotations"]
    assert "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta") == part["text"]


@promise("file_search.call")
def test_results_are_shown_to_who_asks_also_later(client: OpenAI, script: Script, model: str) -> None:
    store, _ = filled(client)
    script.will(searches("card"), says("20 euros"))
    made = client.responses.create(model=model, input="?", tools=[tool(store)])
    assert made.output[0].to_dict()["results"] is None
    later = client.responses.retrieve(made.id, include=[RESULTS])
    call: Any = later.output[0]
    assert call.results[0].filename == "fees.txt"
    assert made.tools[0].to_dict() == {
        "type": "file_search", "vector_store_ids": [store], "max_num_results": 20, "filters": None,
        "ranking_options": {"ranker": "auto", "score_threshold": 0},
    }  # fmt: skip


@promise("file_search.citations")
def test_marks_go_on_from_turn_to_turn(client: OpenAI, script: Script, model: str) -> None:
    store, ids = filled(client)
    script.will(
        searches("card"), says("20 euros【1】"), searches("guide dogs wait"), says("Dogs wait【2】; a card 【1】.")
    )
    first = client.responses.create(model=model, input="?", tools=[tool(store)])
    second = client.responses.create(model=model, input="?", tools=[tool(store)], previous_response_id=first.id)
    assert '<passage mark="【2】" file="dogs.txt">' in told(script)
    message: Any = second.output[-1]
    cited = [(note.file_id, note.index) for note in message.content[0].annotations]
    assert cited == [(ids["dogs.txt"], 9), (ids["fees.txt"], 17)]


@promise("file_search.filters")
def test_what_the_caller_lets_be_found(client: OpenAI, script: Script, model: str) -> None:
    store, ids = filled(client)
    client.vector_stores.files.update(ids["hours.md"], vector_store_id=store, attributes={"public": True})
    public = {"type": "eq", "key": "public", "value": True}

    def names(**said: Any) -> list[str]:
        script.will(searches("library"), says("."))
        made = client.responses.create(model=model, input="?", tools=[tool(store, **said)], include=[RESULTS])
        return sorted(result["filename"] for result in made.output[0].to_dict()["results"])  # pyright: ignore

    assert names() == ["fees.txt", "hours.md"]
    assert names(filters=public) == ["hours.md"]
    assert len(names(max_num_results=1)) == 1
    assert names(ranking_options={"score_threshold": 1.0}) == []
    assert told(script).startswith("Nothing was found")


BAD: list[tuple[Json, str]] = [
    ({"vector_store_ids": None}, "vector_store_ids"),
    ({"vector_store_ids": []}, "vector_store_ids"),
    ({"vector_store_ids": [7]}, "vector_store_ids[0]"),
    ({"vector_store_ids": ["vs_unknown"]}, "vector_store_ids[0]"),
    ({"max_num_results": 51}, "max_num_results"),
    ({"max_num_results": True}, "max_num_results"),
    ({"filters": {"type": "in", "key": "a", "value": "b"}}, "filters.value"),
    ({"ranking_options": {"ranker": "none"}}, "ranking_options.ranker"),
    ({"ranking_options": {"score_threshold": -1}}, "ranking_options.score_threshold"),
    ({"ranking_options": {"hybrid_search": {"text_weight": 1}}}, "ranking_options.hybrid_search.embedding_weight"),
]


@pytest.mark.parametrize(("change", "param"), BAD)
@promise("file_search.declared")
def test_a_tool_that_cannot_be_names_its_place(
    change: Json, param: str, client: OpenAI, http: httpx2.Client, model: str
) -> None:
    store = client.vector_stores.create().id
    refused = http.post("/responses", json={"model": model, "input": "?", "tools": [tool(store) | change]})
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"]["param"] == f"tools[0].{param}"


@promise("file_search.declared")
def test_an_expired_or_foreign_store_is_refused_and_nothing_is_asked(
    start_server: StartServer, recorder: Recorder, model: str
) -> None:
    server = start_server(GRAPHNEXUS_API_KEYS="ann:sk-ann,bob:sk-bob")
    with client_of(server, recorder) as plain:
        store, _ = filled(plain.with_options(api_key="sk-ann"))
        with pytest.raises(BadRequestError, match="not found") as refused:
            plain.with_options(api_key="sk-bob").responses.create(model=model, input="?", tools=[tool(store)])
        assert refused.value.param == "tools[0].vector_store_ids[0]"


@promise("file_search.call")
def test_a_model_that_calls_wrong_is_told_and_may_try_again(client: OpenAI, script: Script, model: str) -> None:
    store, _ = filled(client)
    script.will(calls("file_search", queries=[]), searches("card"), says("20 euros"))
    made = client.responses.create(model=model, input="?", tools=[tool(store)])
    assert [item.to_dict()["status"] for item in made.output] == ["failed", "completed", "completed"]


@promise("file_search.history")
def test_searches_that_a_client_sends_back_are_told(client: OpenAI, script: Script, model: str) -> None:
    store, _ = filled(client)
    asked: Any = [{"role": "user", "content": "What does it cost?"}]
    script.will(searches("card"), says("20 euros【1】"), says("As I said."))
    made = client.responses.create(model=model, input=asked, tools=[tool(store)], include=[RESULTS], store=False)
    again = [*asked, *(item.to_dict() for item in made.output), {"role": "user", "content": "Really?"}]
    client.responses.create(model=model, input=again, store=False)
    assert FEE in told(script)


@promise("file_search.clients")
async def test_agents_search_files(async_client: AsyncOpenAI, client: OpenAI, script: Script, model: str) -> None:
    from agents import Agent, FileSearchTool, OpenAIResponsesModel, RunConfig, Runner

    store, _ = filled(client)
    responses = OpenAIResponsesModel(model=model, openai_client=async_client)
    agent = Agent(
        name="Librarian",
        model=responses,
        tools=[FileSearchTool(vector_store_ids=[store], include_search_results=True, max_num_results=3)],
    )
    script.will(searches("card"), says("20 euros【1】"))
    ran = await Runner.run(agent, "What does it cost?", run_config=RunConfig(tracing_disabled=True))
    assert ran.final_output == "20 euros"
    call: Any = next(item.raw_item for item in ran.new_items if item.type == "tool_call_item")
    assert call.results[0].filename == "fees.txt"


@promise("file_search.clients")
def test_langchain_searches_files(client: OpenAI, server: Any, script: Script, model: str) -> None:
    from langchain_openai import ChatOpenAI

    store, ids = filled(client)
    chat = ChatOpenAI(model=model, base_url=server.url, api_key="any", use_responses_api=True)  # pyright: ignore
    script.will(searches("card"), says("20 euros【1】"))
    said = chat.bind_tools([tool(store)]).invoke("What does it cost?")
    (text,) = [block for block in said.content if block["type"] == "text"]  # pyright: ignore
    assert text["text"] == "20 euros"  # pyright: ignore
    assert text["annotations"][0]["file_id"] == ids["fees.txt"]  # pyright: ignore


# ---------------------------------------------------------------- meaning

MEANT = {"a.txt": "A puppy sleeps here.", "b.txt": "The automobile is red.", "c.txt": "Bread and butter."}


@promise("file_search.meaning", "file_search.degraded")
def test_what_shares_no_word_is_found_by_what_it_means(
    start_server: StartServer, upstream: Upstream, recorder: Recorder
) -> None:
    server = start_server(GRAPHNEXUS_FILE_SEARCH_EMBEDDING="words")
    with client_of(server, recorder) as client:
        store, _ = filled(client, MEANT)
        search: Callable[..., Any] = client.vector_stores.search
        best = search(store, query="hound").data[0]
        assert best.filename == "a.txt"
        by_words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
        assert search(store, query="hound", ranking_options=by_words).data == []
        usage = client.vector_stores.retrieve(store).usage_bytes
        assert usage == sum(len(text) for text in MEANT.values()) + 3 * 64 * 4
    away = start_server(GRAPHNEXUS_FILE_SEARCH_EMBEDDING="words", upstream_url="http://127.0.0.1:9/v1")
    with client_of(away, recorder) as client:
        store = client.vector_stores.create().id
        assert client.vector_stores.search(store, query="hound").data == []
        assert "words alone" in away.log()


@promise("file_search.reranked")
def test_a_model_puts_passages_in_their_order(start_server: StartServer, recorder: Recorder) -> None:
    texts = {"long.txt": "The card, the card, the card is red and green and blue.", "short.txt": "A card. No."}
    server = start_server(GRAPHNEXUS_FILE_SEARCH_RERANK="judge")
    with client_of(server, recorder) as client:
        store, _ = filled(client, texts)

        def names(ranker: Any) -> list[str]:
            found = client.vector_stores.search(store, query="card", ranking_options={"ranker": ranker})
            assert all(0 <= one.score <= 1 for one in found.data)
            return [one.filename for one in found.data]

        assert names("auto") == ["short.txt", "long.txt"]
        assert names("none") == ["long.txt", "short.txt"]
    away = start_server(GRAPHNEXUS_FILE_SEARCH_RERANK="away")
    with client_of(away, recorder) as client:
        store, _ = filled(client, texts)
        assert [one.filename for one in client.vector_stores.search(store, query="card").data] == [
            "long.txt",
            "short.txt",
        ]


# ---------------------------------------------------------------- long files


@promise("file_search.long")
def test_a_file_too_long_to_be_told_is_searched(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    with client_of(start_server(GRAPHNEXUS_INPUT_SEARCH_CHARS="5000"), recorder) as client:
        text = "\n\n".join(f"Chapter {at} tells of thing{at} and what became of it." for at in range(400))
        file = client.files.create(file=("long.txt", text.encode()), purpose="user_data")
        script.will(searches("thing399"), says("It did well【1】."), says("As I said."))
        asked: Any = [
            {"role": "user", "content": [
                {"type": "input_file", "file_id": file.id}, {"type": "input_text", "text": "And thing399?"}
            ]}
        ]  # fmt: skip
        made = client.responses.create(model=model, input=asked)
        assert "thing399" in told(script)
        said = "".join(message["content"] for message in script.seen[0].messages)
        assert "Chapter 0 tells" in said and "Chapter 399" not in said and "file_search" in said
        assert [item.type for item in made.output] == ["file_search_call", "message"]
        message: Any = made.output[-1]
        assert message.content[0].annotations[0].file_id == file.id
        client.responses.create(model=model, input="Really?", previous_response_id=made.id)
        assert script.last.body["tools"][0]["function"]["name"] == "file_search", "it goes on to be searched"
        assert [store.name for store in client.vector_stores.list()] == ["long.txt"]
