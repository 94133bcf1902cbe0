"""`graphnexus eval list`."""

import typer
from rich.console import Console
from rich.table import Table

from evals.suite.reading import SHIPPED, read

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main() -> None:
    """List the suites that are shipped: their names are known to `eval run`."""
    table = Table("suite", "cases", "what it asks", box=None)
    for path in sorted(SHIPPED.glob("*.yaml")):
        suite = read(path)
        table.add_row(suite.name, str(len(suite.cases)), suite.description)
    Console().print(table)
