"""`graphnexus eval model`."""

from typing import Annotated

import typer

from evals.scripted.script import find, read

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    script: Annotated[str, typer.Argument(help="Its rules: a YAML file, or the name of a shipped one.")] = "baseline",
    port: Annotated[int, typer.Option(help="Of 127.0.0.1.")] = 9100,
) -> None:
    """Serve a model that follows rules, until stopped: a server of Chat Completions, to be some server's upstream."""
    import uvicorn

    from evals.scripted.server import ScriptedModel

    model = ScriptedModel(read(find(script)))
    print(f"A scripted model answers on http://127.0.0.1:{port}/v1", flush=True)
    uvicorn.run(model.app(), host="127.0.0.1", port=port, log_level="error")
