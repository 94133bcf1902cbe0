"""One HTML file that needs nothing else: no network, no server, no second file.

What models said is data in a JSON block and is only ever set as text, never as markup; were that ever wrong, the policy
of the page still runs no script but ours, whose hash it names, and fetches nothing.
"""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from evals.report.outcome import outcome, reasons
from evals.report.reading import BenchResult
from evals.report.summary import by_grader, by_tag
from evals.results import RunResult

Json = dict[str, Any]

_PARTS = Path(__file__).parent / "parts"
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'"
)


def run_page(result: RunResult) -> str:
    told = {
        "result": result.model_dump(mode="json"),
        "status": result.status,
        "outcomes": [outcome(case) for case in result.cases],
        "reasons": [[list(reasons(one)) for one in case.attempts] for case in result.cases],
        "graders": [share._asdict() for share in by_grader(result)],
        "tags": [share._asdict() for share in by_tag(result)],
    }
    return page(result.suite, ("charts.js", "items.js", "run.js"), told)


def bench_page(name: str, result: BenchResult) -> str:
    told = {"name": name, "about": result.about, "bars": [bar._asdict() for bar in result.bars]}
    return page(name, ("charts.js", "bench.js"), told)


def page(title: str, scripts: Sequence[str], told: Json) -> str:
    """`told`: what the scripts, run in their order behind `dom.js`, show."""
    script = "\n".join(_part(name) for name in ("dom.js", *scripts))
    style = _part("page.css")
    policy = _POLICY.format(script=_hash(script), style=_hash(style))
    holes = {"title": escape(title), "policy": policy, "style": style, "script": script, "told": _block(told)}
    head, *rest = _part("page.html").split("{{")
    return head + "".join(holes[name] + after for name, _, after in (piece.partition("}}") for piece in rest))


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _block(told: Json) -> str:
    """JSON that no HTML parser sees an end of its block in."""
    return to_json(told, inf_nan_mode="null").decode().replace("<", "\\u003c").replace(">", "\\u003e")
