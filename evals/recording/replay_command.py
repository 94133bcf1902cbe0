"""`graphnexus eval replay`: recorded runs made again, and what differs, by step."""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from evals.options import with_options
from evals.recording.cases import Recorded, read
from evals.recording.differing import SameText, any_text, exact, normal
from evals.recording.replayed import CaseReplay, ReplayResult, as_run
from evals.recording.replaying import Asked, Replayer
from evals.recording.server import opened
from evals.recording.showing import show
from evals.solving.server import shown
from evals.unfit import Unfit

Json = dict[str, Any]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
TEXTS: dict[str, SameText] = {"normal": normal, "exact": exact, "any": any_text}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the line says."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recordings, as 'graphnexus eval record' makes them.")]
    model: Annotated[str | None, typer.Option(help="Another model. Default: each with its own.")] = None
    instructions: Annotated[str | None, typer.Option(metavar="TEXT|@FILE", help="Other instructions.")] = None
    tools: Annotated[Path | None, typer.Option(metavar="FILE", help="Other tools: a JSON list of them.")] = None
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Another field of the request, as JSON; may be repeated."),
    ] = None
    results: Annotated[
        Literal["recorded", "live"],
        typer.Option(help="Answer hosted calls with what was recorded, or make them, whatever they do."),
    ] = "recorded"
    unrecorded: Annotated[
        Literal["stop", "tell"], typer.Option(help="At a call that was not recorded: stop, or tell the model.")
    ] = "stop"
    begin: Annotated[str, typer.Option("--from", metavar="STEP|each", help="From this turn on; each by itself.")] = "0"
    texts: Annotated[
        Literal["normal", "exact", "any"], typer.Option(help="When texts are the same: less layout, wholly, always.")
    ] = "normal"
    grader: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What says when texts are the same: 'grader:' as in a suite."),
    ] = None
    case: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this case; may be repeated.")] = None
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Responses at once.")] = 4
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the diff by step here.")] = None
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write result.json and a report here.")] = None
    url: Annotated[str | None, typer.Option(help="The server's API. Default: OPENAI_BASE_URL, else this machine.")] = (
        None
    )
    key: Annotated[str | None, typer.Option(help="Better in OPENAI_API_KEY: others may see a command line.")] = None


@app.command()
@with_options(Wanted)
def replay(wanted: Wanted) -> None:
    """Make recorded runs again and show the steps that differ. Exit status: 0 none, 1 some, 2 it could not be done."""
    result = asyncio.run(_replayed(wanted, _asked(wanted), _cases(wanted)))
    show(result, Console(highlight=False))
    _write(result, wanted)
    sys.exit(result.status)


async def _replayed(wanted: Wanted, asked: Asked, cases: list[Recorded]) -> ReplayResult:
    async with opened(wanted.url, wanted.key) as client, _texts(wanted) as same:
        await client.get("/models", cast_to=object)  # one line where nobody answers, instead of one a case
        result = ReplayResult(
            file=wanted.file.name,
            model=asked.model,
            target=shown(str(client.base_url)),
            results=asked.results,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        since = time.perf_counter()
        replayer = Replayer(client, replace(asked, same=same), wanted.concurrency)
        result.cases = await _told(replayer, cases)
        result.seconds = time.perf_counter() - since
        return result


async def _told(replayer: Replayer, cases: list[Recorded]) -> list[CaseReplay]:
    """In their order; a terminal is told how far it is."""
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("replaying", total=len(cases))

        async def one(case: Recorded) -> CaseReplay:
            made = await replayer.replay(case)
            progress.advance(bar)
            return made

        return await asyncio.gather(*map(one, cases))


# ---------------------------------------------------------------- the line


def _cases(wanted: Wanted) -> list[Recorded]:
    cases = read(wanted.file)
    chosen = set(wanted.case or ())
    if unknown := chosen - {case.id for case in cases}:
        raise Unfit(f"--case {min(unknown)}: {wanted.file} has no such case; the first is {cases[0].id}.")
    return [case for case in cases if not chosen or case.id in chosen]


def _asked(wanted: Wanted) -> Asked:
    changes: Json = dict(_field(given) for given in wanted.set or ())
    if wanted.instructions is not None:
        changes["instructions"] = _text(wanted.instructions)
    if wanted.tools is not None:
        changes["tools"] = _tools(wanted.tools)
    if wanted.begin != "each" and not (wanted.begin.isascii() and wanted.begin.isdigit()):
        raise Unfit(f"--from {wanted.begin}: expected the number of a step, from 0, or 'each'.")
    return Asked(
        model=wanted.model,
        changes=changes,
        results=wanted.results,
        unrecorded=wanted.unrecorded,
        begin="each" if wanted.begin == "each" else int(wanted.begin),
    )


@asynccontextmanager
async def _texts(wanted: Wanted) -> AsyncGenerator[SameText]:
    if wanted.grader is None:
        yield TEXTS[wanted.texts]
        return
    from evals.recording import graded

    async with graded.same_by(graded.read(wanted.grader)) as same:
        yield same


def _field(given: str) -> tuple[str, Any]:
    name, equals, value = given.partition("=")
    if not equals or not name.isidentifier():
        raise Unfit(f"--set {given}: expected NAME=VALUE, as in --set temperature=0.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _text(given: str) -> str:
    if not given.startswith("@"):
        return given
    return _read(Path(given[1:]), "--instructions")


def _tools(path: Path) -> Any:
    try:
        tools = json.loads(_read(path, "--tools"))
    except ValueError as problem:
        raise Unfit(f"--tools {path}: no JSON ({problem}); expected a list of tools.") from problem
    if not isinstance(tools, list):
        raise Unfit(f"--tools {path}: expected a JSON list of tools, as 'tools' of a request is.")
    return tools


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Unfit(f"{option} {path}: it cannot be read ({problem}).") from problem


# ---------------------------------------------------------------- files


def _write(result: ReplayResult, wanted: Wanted) -> None:
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(result.model_dump_json(indent=1), encoding="utf-8")
    if wanted.out:
        from evals.report.files import write

        run = as_run(result, uuid.uuid4().hex)
        write(run, json=wanted.out / "result.json", html=wanted.out / "report.html")
