"""`graphnexus eval record`: stored runs → cases, one a line, their secrets removed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from evals.options import with_options
from evals.recording.cases import case_of, write
from evals.recording.chain import chained, chains
from evals.recording.filters import query_of
from evals.recording.redaction import Redactor
from evals.recording.server import opened
from evals.recording.stored import recorded
from evals.unfit import Unfit

Json = dict[str, Any]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the line says."""

    out: Annotated[Path, typer.Option("--out", metavar="FILE.jsonl", help="Written whole or not at all.")]
    filter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,…",
            help="model, tool (an item type: mcp_call), status, since and until (7d, 24h or a time), metadata.NAME.",
        ),
    ] = None
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The latest so many responses.")] = 100
    redact: Annotated[
        list[str] | None, typer.Option(metavar="REGEX", help="What else is a secret; may be repeated.")
    ] = None
    emails: Annotated[bool, typer.Option("--emails", help="E-mail addresses are secrets, too.")] = False
    url: Annotated[str | None, typer.Option(help="The server's API. Default: OPENAI_BASE_URL, else this machine.")] = (
        None
    )
    key: Annotated[str | None, typer.Option(help="Better in OPENAI_API_KEY: others may see a command line.")] = None


@app.command()
@with_options(Wanted)
def record(wanted: Wanted) -> None:
    """Make cases of stored responses, one a line. Responses that go on with one another are one case."""
    redactor = Redactor(wanted.redact or (), wanted.emails)
    recordings = asyncio.run(_recordings(wanted, query_of(wanted.filter or ())))
    if not recordings:
        raise Unfit("No stored response fits: nothing was written. Look for more with another --filter.")
    redactor.learn(recordings)
    found = [[redactor.clean(one) for one in chain] for chain in chains(recordings)]
    write(wanted.out, [case_of(chain, chained(chain)) for chain in found])
    counts = ", ".join(f"{count} {kind}" for kind, count in redactor.counts.items()) or "none"
    print(f"{len(recordings)} responses in {len(found)} cases: {wanted.out}. Secrets removed: {counts}.")


async def _recordings(wanted: Wanted, query: dict[str, str]) -> list[Json]:
    async with opened(wanted.url, wanted.key) as client:
        return await recorded(client, query, wanted.limit)
