"""`graphnexus eval import`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from evals.importing import openai_evals, promptfoo
from evals.importing.found import Imported
from evals.suite.reading import read
from evals.unfit import Unfit

Json = dict[str, Any]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    files: Annotated[
        list[Path],
        typer.Argument(help="A promptfoo file; or of OpenAI Evals the eval, its run and its data or output items."),
    ],
    out: Annotated[Path, typer.Option(help="Where the suite is written.")],
    partial: Annotated[bool, typer.Option("--partial", help="Succeed also if something had to be left out.")] = False,
) -> None:
    """Make a suite of what other harnesses have.

    Exit status: 0 all was said in the suite, 1 something was left out (each is named), 2 it could not be read.
    """
    made = imported(files)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(yaml.safe_dump(made.suite, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    suite = read(out)  # what cannot be run is said now
    print(f"{out}: {len(suite.cases)} cases. `graphnexus eval run {out}` asks them.")
    for line in made.left:
        print(f"left out: {line}", file=sys.stderr)
    sys.exit(1 if made.left and not partial else 0)


def imported(files: list[Path]) -> Imported:
    """Raises `Unfit`."""
    documents = [one for path in files for one in _documents(path)]
    if openai_evals.is_one(documents):
        return openai_evals.imported(documents)
    found = [one for one in documents if promptfoo.is_one(one)]
    if len(found) == 1:
        return promptfoo.imported(found[0], files[0].parent)
    raise Unfit(f"{files[0]} is neither a promptfoo file (it has 'prompts') nor of OpenAI Evals ('object': 'eval').")


def _documents(path: Path) -> list[Json]:
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".jsonl":
            found: list[Any] = [json.loads(line) for line in text.split("\n") if line.strip()]
        else:
            found = [yaml.safe_load(text)]
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise Unfit(f"{path} cannot be read: {why}.") from error
    return [one for each in found for one in _flat(each) if isinstance(one, dict)]


def _flat(found: Any) -> list[Any]:
    """Pages of a list as their entries, and a document of several as these."""
    if isinstance(found, list):
        return [one for each in found for one in _flat(each)]
    if isinstance(found, dict) and found.get("object") == "list":
        return list(found.get("data") or ())
    if isinstance(found, dict) and "eval" in found and "object" not in found:
        return [one for value in found.values() for one in _flat(value)]
    return [found]
