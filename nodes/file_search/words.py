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

#: How Unicode begins the names of signs → the language, or the one whose stemmer fits most texts in them. Of others
#: (Hebrew, Thai, Georgian …) the script's name is as good.
_SCRIPTS: Mapping[str, str] = {
    "CYRILLIC": "russian", "DEVANAGARI": "hindi", "CJK": "chinese", "HIRAGANA": "japanese", "KATAKANA": "japanese",
    "HANGUL": "korean",
}  # fmt: skip
#: One of these signs says as much as three letters.
_WEIGHTY = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})
#: The part of Chinese signs and kana that is kana in any Japanese text.
_KANA = 0.1
#: Names and code are written in Latin letters everywhere: so many times the others makes a text Latin.
_LATIN = 3
#: Whose stems words have where nothing tells the language.
_UNTOLD = "english"
_SAMPLED = 400
#: Words that are in nearly every paragraph of a language, and say little of what it is about.
_COMMON: Mapping[str, str] = {
    "english": "the of and to in is that it was for on are with as be this which have from how what when does do "
    "can a an by or at not has will should after you your i my we their there if than why where who "
    "whose would could must may many much often long while until because into about were been had did "
    "its also no",
    "german": "der die und das ist nicht ein eine den von mit auf für dem sich des auch wird als wie was wann ich "
    "man in zu im zum zur bei nach oder wenn sind einer einem einen es er sie wir aus an darf muss kann "
    "werden um warum wo wer welche welcher welchen welches weshalb ob dürfen müssen soll sollte dann "
    "noch nur vor durch dass sein war waren haben habe hat wurde mein meine oft viel viele lange bis "
    "damit",
    "french": "les des est dans que une pour qui sur pas par plus avec sont été cette aux ses le la de et un en "
    "du au il elle ou on ne se sa son ce comment combien quand quel quelle faut je vous pourquoi où "
    "peut doit quels quelles tous mais comme leur était fait après avant sous entre jusqu'à mon ma mes "
    "sans si ni chez n'est d'une d'un qu'il",
    "spanish": "los las del que una por con para como más pero sus este entre cuando sobre también el la de y un "
    "en se su lo al es o no hay cómo cuánto cuándo qué puede si hasta después cuánta cuál dónde quién "
    "debe deben puedo tiene tengo mi ya muy sin desde donde porque hacia fue era ser son está están "
    "durante tras solo cada",
    "italian": "che della per una sono con non del dei nel alla anche gli dalla più essere come questo il la di e "
    "un in lo le si è o quando quanto deve può se dopo nella delle perché dove chi quale quali posso "
    "devo mio ma fino prima senza tra fra ogni stato era dal sul sulla",
    "portuguese": "não uma que para com dos das mais como foi pelo ser são também seu pela quando o a de e um em "
    "se no na os as ou quanto pode deve até depois porque onde quem qual quais posso devo meu mas "
    "sem antes entre cada está foram era às aos",
    "dutch": "het een van en dat niet zijn voor met aan werd door ook naar wordt heeft bij de is in op te als of "
    "om uit hoe wat wanneer kan moet ik men er deze waarom waar wie welke moeten mag mijn maar tot "
    "zonder tussen elke hun haar was waren nog alleen dan",
    "swedish": "och att det som för inte med har till den var ett från eller kan också en i på är av om när hur "
    "vad ska man sedan varför vem vilken vilka måste får min men utan innan efter mellan varje deras "
    "bara där så sig",
    "danish": "og det er til af en ikke på med der var blev fra eller også efter havde i at som den et hvad "
    "hvordan hvornår kan skal man hvorfor hvor hvem hvilken må min men uden før mellem hver deres kun "
    "så sig",
    "norwegian": "og det er til av en ikke på med som var ble fra eller også etter hadde i at den et hva hvordan "
    "når kan skal man hvorfor hvor hvem hvilken må min men uten før mellom hver deres bare så seg",
    "finnish": "ja on ei se että oli hän mutta ovat kun myös tai joka kanssa sekä niin jos sen noin vain mitä "
    "miten milloin kuinka voi pitää sitä ne niitä niiden siihen siellä sillä joita jossa jonka joten "
    "ennen jälkeen enää ellei eikä ilman kuin vielä olla mikä missä mistä mille miksi paljonko monenko "
    "montako saako voiko pitääkö täytyykö onko riittääkö kaikki tulee täytyy jokainen",
    "hungarian": "és az egy hogy nem volt is meg csak mint vagy azonban között által után a van ha de mennyi "
    "mikor hogyan lehet kell miért hol ki melyik szabad még minden",
    "romanian": "și este că pentru din care mai într sunt fost după până prin lui această de la cu în o un să se "
    "pe nu cum când cât poate unde cine trebuie fără înainte între fiecare doar foarte",
    "turkish": "ve bir bu için ile olarak olan daha çok gibi ancak tarafından sonra kadar da de ne en veya ise "
    "değil mi mı mu her nasıl neden kaç hangi göre önce nerede kim hangisi zaman gerekir gerek mıyım "
    "miyim olur ama kendi yalnızca ya",
    "polish": "nie się jest że na od przez dla jako oraz był które tym także roku w z i do po jak kiedy ile można "
    "czy za lub gdy dlaczego gdzie kto który która trzeba musi bez przed między każdy tylko bardzo są",
    "czech": "není že jako také byl která jeho podle nebo jsou které roce však byla pouze a v se na je s z do o "
    "jak kdy kolik může po proč kde kdo který musí bez před mezi každý jen velmi jsem",
    "indonesian": "yang dan dengan untuk dari pada ini adalah tidak dalam oleh sebagai juga akan di ke atau itu "
    "bisa apa bagaimana berapa kapan mengapa mana siapa harus boleh tanpa sebelum antara setiap "
    "hanya sangat telah",
    "catalan": "els amb una per que és del com més però aquest entre quan també està el la de i un en es no quant "
    "pot fins després què on qui quin cal deu sense abans cada només molt són",
}  # fmt: skip
_STEMMED: Collection[str] = frozenset(Stemmer.algorithms())  # pyright: ignore[reportUnknownArgumentType]
_STOPS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
#: How much a word tells: nothing alone when many languages have it.
_TOLD = {word: 1 / count for word, count in Counter(word for words in _STOPS.values() for word in words).items()}
#: Runs of letters and digits with their marks; and among them runs of scripts that put no spaces between words.
_RUN = regex.compile(r"[\p{L}\p{N}\p{M}]+(?:'[\p{L}\p{M}]+)?")
#: Or, as Korean does, endings on them that there is no stemmer for.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]+")
_LETTER = regex.compile(r"\p{L}")
_ACCENTS = regex.compile(r"[\u0300-\u036f]+")
_LONGEST, _REMEMBERED, _LOOKED_AT = 64, 16, 20_000


def language_of(text: str) -> str:
    """As Snowball calls it where it has a stemmer for it; empty where nothing tells."""
    scripts = _scripts(text)
    script = max(scripts, key=lambda script: scripts[script])
    if script != "LATIN":
        return _SCRIPTS.get(script, script.lower())
    words = Counter(_RUN.findall(_folded(text[:_LOOKED_AT])))
    scores = {language: sum(words[word] * _TOLD[word] for word in common) for language, common in _STOPS.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] else ""


def _scripts(text: str) -> Counter[str]:
    """How much of a text is written in each."""
    letters = _LETTER.findall(text[:_LOOKED_AT])
    scripts = Counter(_script(letter) for letter in letters[:: len(letters) // _SAMPLED + 1])
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana > _KANA * (kana + scripts["CJK"]):
        scripts["HIRAGANA"] += scripts.pop("CJK", 0)
    for script in _WEIGHTY & scripts.keys():
        scripts[script] *= 3
    scripts["LATIN"] //= _LATIN
    return scripts


@lru_cache(10_000)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "LATIN").partition(" ")[0].partition("-")[0]


def words_of(text: str, languages: Collection[str]) -> list[str]:
    """Every word in its order; one that has several stems in these languages stands there once for each."""
    among = _told(languages)
    return [stem for run in _RUN.findall(_folded(text)) for stem in _stems(run, among)]


def asked_words(text: str, languages: Collection[str]) -> list[str]:
    """Those of a question, less the ones that are in every text, unless it has no others."""
    runs, among = _RUN.findall(_folded(text)), _told(languages)
    telling = [run for run in runs if not any(run in _STOPS.get(language, ()) for language in among)]
    return [stem for run in telling or runs for stem in _stems(run, among)]


def _told(languages: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(language or _UNTOLD for language in languages)) or (_UNTOLD,)


def _stems(run: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    return _remembered(run, languages) if len(run) <= _REMEMBERED else _made(run, languages)


@lru_cache(20_000)
def _remembered(run: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    return _made(run, languages)


def _made(run: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    stems, at = list[str](), 0
    for found in _UNSPACED.finditer(run):
        stems += [*_spaced(run[at : found.start()], languages), *_pairs(found[0])]
        at = found.end()
    return (*stems, *_spaced(run[at:], languages))


def _spaced(word: str, languages: tuple[str, ...]) -> Iterator[str]:
    if word and len(word) <= _LONGEST:
        stems = [_stemmer(language).stemWord(word) if language in _STEMMED else word for language in languages]
        yield from dict.fromkeys(_bare(stem) for stem in stems)


def _pairs(signs: str) -> Iterator[str]:
    """Of neighbouring signs: words of such scripts are two signs long, more or less."""
    if len(signs) == 1:
        yield signs
    yield from (signs[at : at + 2] for at in range(len(signs) - 1))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def _bare(word: str) -> str:
    """Letters and digits alone, without accents, which people leave out when they ask. The vowel signs of other
    scripts are none."""
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word))).replace("'", "")


@cache
def _stemmer(language: str) -> Any:
    return Stemmer.Stemmer(language)  # pyright: ignore[reportUnknownVariableType]
