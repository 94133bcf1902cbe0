"""How well file search finds, through the front door: the set of `evals.retrieval`, and the bars it prints."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from openai import AsyncOpenAI

from evals.retrieval import BAR, texts
from evals.retrieval.__main__ import Row, missed
from evals.retrieval.asking import WAYS, shelved
from evals.retrieval.figures import figures
from tests.contract import promise
from tests.embeddings import MODEL, embeddings, needs_embeddings
from tests.process import Server


@pytest.fixture
async def searching(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.url, api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def understanding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an embedder that knows English alone."""
    with embeddings() as url:
        flags = ("--file-search-embedding", MODEL, "--file-search-embedding-languages", "english")
        ours = Server(tmp_path_factory.mktemp("server"), url, *flags).start()
        yield ours
        ours.stop()


@promise("search.quality.words")
async def test_words_alone_find_passages_in_every_language(searching: AsyncOpenAI) -> None:
    """Every passage is there; of the questions one in two is asked, which is half the time."""

    async def ndcg(language: str) -> float:
        passages = texts.passages(language)
        async with shelved(searching, language, passages) as shelf:
            asked = [(one.id, one.question) for one in passages[::2]]
            return figures(await shelf.ranks(WAYS["lexical"], asked)).ndcg

    languages = texts.languages()
    found = dict(zip(languages, await asyncio.gather(*map(ndcg, languages)), strict=True))
    assert len(found) == 13
    assert min(found.values()) >= BAR, found


@needs_embeddings
@promise("search.quality.hybrid")
async def test_words_and_vectors_find_more_than_either(understanding: Server) -> None:
    passages = texts.passages("english")
    asked = [(one.id, one.question) for one in passages[::2]] + [(one.id, one.otherwise) for one in passages[1::2]]
    client = AsyncOpenAI(base_url=understanding.url, api_key="any", max_retries=0)
    async with client, shelved(client, "english", passages) as shelf:
        found = {name: figures(await shelf.ranks(way, asked)).ndcg for name, way in WAYS.items()}
    assert found["hybrid"] > max(found["lexical"], found["embeddings"]), found
    assert found["embeddings"] > 0.8, found


@needs_embeddings
@promise("search.quality.foreign")
async def test_embedder_has_no_say_on_languages_it_does_not_know(understanding: Server) -> None:
    passages = texts.passages("finnish")
    asked = [(one.id, one.question) for one in passages[1::2]]
    client = AsyncOpenAI(base_url=understanding.url, api_key="any", max_retries=0)
    async with client, shelved(client, "finnish", passages) as shelf:
        assert await shelf.ranks(WAYS["hybrid"], asked) == await shelf.ranks(WAYS["lexical"], asked)


@promise("search.quality.words")
def test_bars_that_are_missed_are_named() -> None:
    good, bad = figures([1] * 9 + [2]), figures([1, 2, None, 11])
    rows = [
        Row("thai", "question", "lexical", good),
        Row("hindi", "question", "lexical", bad),
        Row("hindi", "question", "hybrid", bad),
        Row("english", "both", "lexical", bad),
        Row("english", "both", "hybrid", good),
        Row("english", "both", "embeddings", good),
    ]
    assert (good.first, bad.found) == (0.9, 0.5)
    assert bad.ndcg == pytest.approx(0.4077, abs=0.001)
    assert [line.split(":")[0] for line in missed(rows)] == ["hindi", "english"]
    assert list(missed(rows))[1].endswith("not above embeddings 0.963")
