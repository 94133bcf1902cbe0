"""Text → the words an index knows it by: folded, stemmed by language, scripts without spaces in pairs of signs.

The same for what is indexed and what is asked. Stems are Snowball's (PyStemmer); languages are told by their script and
by their commonest words, which costs microseconds where a library's model costs half a second and 100 MB a process.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

import regex
import Stemmer  # pyright: ignore[reportMissingTypeStubs]

#: Signs that say which language it is, or at least which stemmer fits.
_SCRIPTS: Mapping[str, str] = {
    "Greek": "greek", "Cyrillic": "russian", "Arabic": "arabic", "Devanagari": "hindi", "Armenian": "armenian",
    "Tamil": "tamil",
}  # fmt: skip
#: Words that are in nearly every paragraph of a language and in few of the others.
_COMMON: Mapping[str, str] = {
    "english": "the of and to in is that it was for on are with as be this which have from",
    "german": "der die und das ist nicht ein eine den von mit auf für dem sich des auch wird als",
    "french": "les des est dans que une pour qui sur pas par plus avec sont été cette aux ses",
    "spanish": "los las del que una por con para como más pero sus este entre cuando sobre también",
    "italian": "che della per una sono con non del dei nel alla anche gli dalla più essere come questo",
    "portuguese": "não uma que para com dos das mais como foi pelo ser são também seu pela quando",
    "dutch": "het een van en dat niet zijn voor met aan werd door ook naar wordt heeft bij",
    "swedish": "och att det som för inte med har till den var ett från eller kan också",
    "danish": "og det er til af en ikke på med der var blev fra eller også efter havde",
    "norwegian": "og det er til av en ikke på med som var ble fra eller også etter hadde",
    "finnish": "ja on ei se että oli hän mutta ovat kun myös tai joka kanssa sekä",
    "hungarian": "és az egy hogy nem volt is meg csak mint vagy azonban között által után",
    "romanian": "și este că pentru din care mai într sunt fost după până prin lui această",
    "turkish": "ve bir bu için ile olarak olan daha çok gibi ancak tarafından sonra kadar",
    "polish": "nie się jest że na od przez dla jako oraz był które tym także roku",
    "czech": "není že jako také byl která jeho podle nebo jsou které roce však byla pouze",
    "indonesian": "yang dan dengan untuk dari pada ini adalah tidak dalam oleh sebagai juga akan",
    "catalan": "els amb una per que és del com més però aquest entre quan també està",
}
_STOPS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
#: Runs of letters and digits with their marks; and among them runs of scripts that put no spaces between words.
_RUN = regex.compile(r"[\p{L}\p{N}\p{M}]+(?:['’][\p{L}\p{M}]+)?")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
_ACCENTS = regex.compile(r"[\u0300-\u036f]+")
_LONGEST, _LOOKED_AT = 64, 20_000


def language_of(text: str) -> str:
    """Snowball's name of the language; empty where there is no stemmer for it, or nothing tells."""
    text = text[:_LOOKED_AT]
    for script, language in _SCRIPTS.items():
        if 2 * len(_of_script(script).findall(text)) > len(text.split()) and text.strip():
            return language
    words = Counter(_folded(text).split())
    scores = {language: sum(words[word] for word in common) for language, common in _STOPS.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] else ""


def words_of(text: str, languages: Collection[str]) -> list[str]:
    """Every word in its order; one that has several stems in these languages stands there once for each."""
    return [stem for run in _RUN.findall(_folded(text)) for stem in _stems(run, tuple(languages))]


def _stems(run: str, languages: tuple[str, ...]) -> Iterator[str]:
    at = 0
    for found in _UNSPACED.finditer(run):
        yield from _spaced(run[at : found.start()], languages)
        yield from _pairs(found[0])
        at = found.end()
    yield from _spaced(run[at:], languages)


def _spaced(word: str, languages: tuple[str, ...]) -> Iterator[str]:
    if word and len(word) <= _LONGEST:
        stems = [_stemmer(language).stemWord(word) if language else word for language in languages or ("",)]
        yield from dict.fromkeys(_bare(stem) for stem in stems)


def _pairs(signs: str) -> Iterator[str]:
    """Of neighbouring signs: words of such scripts are two signs long, more or less."""
    if len(signs) == 1:
        yield signs
    yield from (signs[at : at + 2] for at in range(len(signs) - 1))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@lru_cache(50_000)
def _bare(word: str) -> str:
    """Without accents, which people leave out when they ask. The vowel signs of other scripts are none."""
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word)))


@cache
def _stemmer(language: str) -> Any:
    return Stemmer.Stemmer(language)


@cache
def _of_script(script: str) -> Any:
    return regex.compile(rf"\p{{{script}}}+")
