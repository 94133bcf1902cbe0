"""Which words a text is known by: a pure core with many cases."""

import pytest

from evals.retrieval.texts import languages, passages
from nodes.file_search.words import asked_words, language_of, words_of
from tests.contract import promise

_ALIKE = [
    ("english", "The dog’s bowls", "dog bowl"),
    ("english", "RUNNING late", "runs late"),
    ("german", "in den Häusern", "Haus"),
    ("french", "l’eau de l'onduleur", "onduleurs eau"),
    ("spanish", "camión rápido", "camiones rapidos"),
    ("russian", "в библиотеках", "библиотека"),
    ("finnish", "mehiläishoitajat", "mehiläishoitaja"),
    ("turkish", "kitaplar", "kitabın kitap"),
    ("arabic", "المكتبات", "مكتبة"),
    ("hindi", "किताबें", "किताब"),
    ("", "Dogs must wait outside.", "dog"),
    ("", "東京都庁", "京都"),
    ("", "ห้องสมุดประชาชน", "สมุด"),
    ("", "도서관에서", "도서관"),
    ("", "ｆｕｌｌ ＷＩＤＴＨ ２０２６", "full width 2026"),
    ("", "가격은 3,500원", "3"),
]


@promise("search.words")
@pytest.mark.parametrize(("language", "text", "asked"), _ALIKE)
def test_words_that_are_written_otherwise_are_the_same(language: str, text: str, asked: str) -> None:
    assert set(asked_words(asked, [language])) & set(words_of(text, [language]))


@promise("search.words")
def test_languages_of_short_texts_are_told() -> None:
    for language in languages():
        told = [language_of(passage.text) for passage in passages(language)]
        assert told.count(language) >= 0.95 * len(told), (language, told)
    assert language_of("שלום עולם, this is") == "hebrew"
    assert language_of("這是 OpenAI 的 Responses API 說明") == "chinese"
    assert language_of("solar battery 8 kWh") == language_of("12 % …") == language_of("") == ""


@promise("search.words")
def test_question_is_asked_by_its_telling_words() -> None:
    assert asked_words("How do I get the bowls of a dog?", ["english"]) == ["get", "bowl", "dog"]
    assert asked_words("To be or not to be", ["english"]) == ["to", "be", "or", "not", "to", "be"]
    assert asked_words("", ["english"]) == []
    assert asked_words("?! … 🐝", ["english"]) == []


@promise("search.words")
def test_words_of_several_languages_stand_there_once_for_each_stem() -> None:
    assert words_of("running", ["german", "english"]) == ["running", "run"]
    assert words_of("aujourd’hui", ["french"]) == words_of("aujourd'hui", ["french"]) == ["aujourdhui"]
    assert words_of("x" * 65 + " short", ["english"]) == ["short"]
