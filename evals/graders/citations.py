"""Whether what is cited is there, and stands where it says."""

from typing import Any, Literal

import regex
from pydantic import Field

from evals.graders.grading import Grade, Grader, Means
from evals.graders.looking import turns
from evals.transcript import Transcript

Json = dict[str, Any]
Kind = Literal["url_citation", "file_citation", "container_file_citation", "file_path"]

#: What names a source, by type; and marks that were meant for citations and show in the text.
_SOURCE = {
    "url_citation": "url",
    "file_citation": "file_id",
    "container_file_citation": "file_id",
    "file_path": "file_id",
}
_LEFT_OVER = regex.compile(r"【[^】]*】|cite|\[\^\d+\]")


class Citations(Grader):
    """There are at least `at_least` citations; each stands within its text, and none of their marks is left in it.

    `sources`: what must be cited, as parts of URLs, file names or ids; `spans`: texts of which one must stand at each
    cited place.
    """

    type: Literal["citations"]
    kind: Kind | None = None
    at_least: int = Field(default=1, ge=0)
    sources: list[str] = Field(default_factory=list[str])
    spans: list[str] = Field(default_factory=list[str])

    async def grade(self, made: Transcript, means: Means) -> Grade:
        problems = list[str]()
        cited = list[Json]()
        for part in _texts(self, made):
            if mark := _LEFT_OVER.search(part["text"]):
                problems.append(f"the mark {mark[0]!r} is left in the text")
            for one in part.get("annotations") or ():
                if one.get("type") in _SOURCE and self.kind in (None, one["type"]):
                    cited.append(one)
                    problems += self._misplaced(one, part["text"])
        if len(cited) < self.at_least:
            problems.append(f"{len(cited)} citations, where {self.at_least} are wanted")
        problems += [
            f"{wanted!r} is not cited" for wanted in self.sources if not any(_is(one, wanted) for one in cited)
        ]
        why = "; ".join(problems) or f"{len(cited)} citations stand where they say"
        return self.given(float(not problems), not problems, f"{why[:1].upper()}{why[1:]}.")

    def _misplaced(self, one: Json, text: str) -> list[str]:
        begin, end = one.get("start_index"), one.get("end_index")
        if begin is None:
            at = one.get("index")
            return (
                [] if at is None or 0 <= at <= len(text) else [f"a citation stands at {at} of {len(text)} characters"]
            )
        if not 0 <= begin <= end <= len(text):
            return [f"a citation stands at {begin} to {end} of {len(text)} characters"]
        span = text[begin:end]
        if self.spans and "end_index" in one and not any(wanted in span for wanted in self.spans):
            return [f"{span[:80]!r} is cited"]
        return []


def _texts(grader: Grader, made: Transcript) -> list[Json]:
    messages = [item for turn in turns(grader, made) for item in turn.items if item.get("type") == "message"]
    return [part for item in messages for part in item["content"] if part.get("type") == "output_text"]


def _is(one: Json, wanted: str) -> bool:
    return any(wanted in str(one.get(name) or "") for name in (_SOURCE[one["type"]], "filename", "title"))
