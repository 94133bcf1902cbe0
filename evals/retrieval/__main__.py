"""How well a running server finds passages, by language; exit status 1 when a bar is missed.

python -m evals.retrieval URL                          by words alone
python -m evals.retrieval URL --embedder NAME          with the embedder the server was started with, too
python -m evals.retrieval URL --languages english,thai only these
python -m evals.retrieval URL --out FILE               the figures as JSON, too
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from openai import AsyncOpenAI

from evals.retrieval import BAR
from evals.retrieval.asking import WAYS, shelved
from evals.retrieval.figures import Figures, Rank, figures
from evals.retrieval.texts import languages, passages


class Row(NamedTuple):
    language: str
    #: Which questions; see texts/README.md.
    asked: str
    way: str
    figures: Figures


async def rows(client: AsyncOpenAI, language: str, ways: Sequence[str]) -> list[Row]:
    texts = passages(language)
    kinds = {"question": [(one.id, one.question) for one in texts]}
    if any(one.otherwise for one in texts):
        kinds["otherwise"] = [(one.id, one.otherwise) for one in texts if one.otherwise]
    found: list[Row] = []
    async with shelved(client, f"evals {language}", texts) as shelf:
        for way in ways:
            ranks = {kind: await shelf.ranks(WAYS[way], asked) for kind, asked in kinds.items()}
            found += [Row(language, kind, way, figures(of)) for kind, of in _with_sum(ranks)]
    return found


def _with_sum(ranks: dict[str, list[Rank]]) -> Iterator[tuple[str, list[Rank]]]:
    yield from ranks.items()
    if len(ranks) > 1:
        yield "both", [rank for some in ranks.values() for rank in some]


def missed(found: Sequence[Row]) -> Iterator[str]:
    """Bars that do not hold."""
    for row in found:
        if row.asked == "question" and row.way == "lexical" and row.figures.ndcg < BAR:
            yield f"{row.language}: {row.figures.ndcg:.3f} by words alone, where {BAR} is wanted"
    english = {row.way: row.figures.ndcg for row in found if (row.language, row.asked) == ("english", "both")}
    for part in set(english) - {"hybrid"}:
        if "hybrid" in english and english["hybrid"] <= english[part]:
            yield f"english: hybrid {english['hybrid']:.3f} is not above {part} {english[part]:.3f}"


def line(row: Row) -> str:
    what = row.figures
    return (
        f"{row.language:10} {row.asked:10} {row.way:11} {what.ndcg:8.3f} {what.first:8.3f} {what.found:9.3f}"
        f" {what.questions:10}"
    )


async def measured(given: argparse.Namespace) -> list[Row]:
    found: list[Row] = []
    ways = list(WAYS) if given.embedder else ["lexical"]
    async with AsyncOpenAI(base_url=given.url, api_key=given.key) as client:
        print(f"{'language':10} {'asked':10} {'way':11} {'nDCG@10':>8} {'first':>8} {'among 10':>9} {'questions':>10}")
        for language in given.languages or languages():
            some = await rows(client, language, ways)
            print("\n".join(map(line, some)), flush=True)
            found += some
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals.retrieval", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("url", help="of the server's API, e.g. http://127.0.0.1:8000/v1")
    parser.add_argument("--key", default="none", help="the server's API key")
    parser.add_argument("--embedder", metavar="NAME", help="what it makes vectors with: measure them, too")
    parser.add_argument("--languages", type=lambda said: said.split(","), help="only these, with commas between")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON, too")
    given = parser.parse_args()
    if unknown := set(given.languages or ()) - set(languages()):
        parser.error(f"no such language: {', '.join(sorted(unknown))}")
    found = asyncio.run(measured(given))
    if given.out:
        figures_of = [{**row._asdict(), "figures": row.figures._asdict()} for row in found]
        given.out.write_text(json.dumps({"embedder": given.embedder, "rows": figures_of}, indent=1))
    misses = list(missed(found))
    print("\n".join(misses) or "All bars hold.")
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
