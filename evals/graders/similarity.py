"""Graders of how like a text is to another.

`text_similarity` is OpenAI's. Source: `openai.types.graders.TextSimilarityGrader`.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import regex
from pydantic import Field

from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.looking import cut, text
from evals.graders.text import named
from evals.templates import filled
from evals.transcript import Transcript

Metric = Literal[
    "cosine", "fuzzy_match", "bleu", "gleu", "meteor",
    "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l",
]  # fmt: skip
_WORD = regex.compile(r"\w+|[^\w\s]")
_BARE = regex.compile(r"\w+")


class TextSimilarity(Grader):
    """`input` and `reference` are templates; the score is from 0 to 1."""

    type: Literal["text_similarity"]
    input: str = "{{sample.output_text}}"
    reference: str
    evaluation_metric: Metric = "fuzzy_match"
    pass_threshold: float = Field(default=0.8, ge=0, le=1)
    #: What makes vectors for `cosine`, at the address of the suite's judge.
    embedder: str = "text-embedding-3-large"

    async def grade(self, made: Transcript, means: Means) -> Grade:
        names = named(made, text(self, made), means)
        found, wanted = filled(self.input, **names), filled(self.reference, **names)
        if self.evaluation_metric == "cosine":
            score = await self._cosine(found, wanted, means)
        else:
            score = measured(self.evaluation_metric, found, wanted)
        score = min(1.0, max(0.0, score))
        why = f"{self.evaluation_metric} of {cut(found)} to {cut(wanted)} is {score:.3f}, "
        return self.given(score, score >= self.pass_threshold, f"{why}wanted {self.pass_threshold:g}.")

    async def _cosine(self, found: str, wanted: str, means: Means) -> float:
        if means.judge is None:
            raise CannotGrade(f"{self.called!r} wants vectors: name who makes them (`judge: {{model: …, url: …}}`).")
        made = await means.judge.client.embeddings.create(model=self.embedder, input=[found or " ", wanted or " "])
        a, b = (np.asarray(one.embedding) for one in made.data)
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / size if size else 0.0


class Distance(Grader):
    """At most so many signs must be put in, left out or changed to make the one text of the other (Levenshtein)."""

    type: Literal["distance"]
    input: str = "{{sample.output_text}}"
    reference: str
    at_most: int = Field(ge=0)

    async def grade(self, made: Transcript, means: Means) -> Grade:
        from rapidfuzz.distance import Levenshtein

        names = named(made, text(self, made), means)
        found, wanted = filled(self.input, **names), filled(self.reference, **names)
        away = Levenshtein.distance(found, wanted)
        why = f"{cut(found)} is {away} changes away from {cut(wanted)}, {self.at_most} are let pass."
        return self.given(1 - away / max(len(found), len(wanted), 1), away <= self.at_most, why)


def measured(metric: str, found: str, wanted: str) -> float:
    """Any metric but `cosine`. Nothing is like nothing."""
    if found == wanted:
        return 1.0
    if metric.startswith("rouge_"):
        return _rouge(metric.removeprefix("rouge_"), _words(found), _words(wanted))
    return {"fuzzy_match": _fuzzy, "bleu": _bleu, "gleu": _gleu, "meteor": _meteor}[metric](found, wanted)


def _words(said: str) -> list[str]:
    return _BARE.findall(said.lower())


def _fuzzy(found: str, wanted: str) -> float:
    from rapidfuzz import fuzz

    return fuzz.ratio(found, wanted) / 100


def _bleu(found: str, wanted: str) -> float:
    """Of up to four words in a row; a length of which nothing fits counts as little instead of nothing."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smooth = SmoothingFunction().method1
    made = partial(sentence_bleu, smoothing_function=smooth, auto_reweigh=True)
    return float(made([_WORD.findall(wanted)], _WORD.findall(found)))


def _gleu(found: str, wanted: str) -> float:
    from nltk.translate.gleu_score import sentence_gleu

    return float(sentence_gleu([_WORD.findall(wanted)], _WORD.findall(found)))


class _NoSynonyms:
    """WordNet would have to be fetched: words fit by themselves and by their stems."""

    def synsets(self, word: str) -> list[object]:
        return []


def _meteor(found: str, wanted: str) -> float:
    from nltk.translate.meteor_score import single_meteor_score

    return float(single_meteor_score(_WORD.findall(wanted), _WORD.findall(found), wordnet=_NoSynonyms()))


def _rouge(kind: str, found: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of words in a row (1 to 5), or of the longest common subsequence (l)."""
    if kind == "l":
        from rapidfuzz.distance import LCSseq

        common, sizes = LCSseq.similarity(found, wanted), (len(found), len(wanted))
    else:
        a, b = (Counter(_rows(words, int(kind))) for words in (found, wanted))
        common, sizes = (a & b).total(), (a.total(), b.total())
    return 2 * common / sum(sizes) if sum(sizes) else 0.0


def _rows(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
