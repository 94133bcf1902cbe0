"""Where the servers of one measurement are started, in a directory of its own, with a scripted model and tool."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from evals.bench.process import Place, Process, free_port


class Site:
    def __init__(self, directory: Path, stack: ExitStack) -> None:
        """What it starts by itself runs until `stack` is left."""
        self.directory = directory
        self.model, self.tools = (
            stack.enter_context(self.run(name, f"evals.bench.{name}")) for name in ("upstream", "tools")
        )

    @property
    def upstream(self) -> str:
        return f"http://127.0.0.1:{self.model.port}"

    @property
    def tool(self) -> dict[str, Any]:
        """How a request names the scripted tool."""
        return {
            "type": "mcp",
            "server_label": "harbour",
            "server_url": f"http://127.0.0.1:{self.tools.port}/mcp",
            "require_approval": "never",
        }

    def run(self, name: str, module: str, *before: str, after: tuple[str, ...] = ()) -> AbstractContextManager[Process]:
        """A yardstick: it is told its port."""
        port = free_port()
        return Process.running(port, [module, *before, str(port), *after], self.directory / f"{name}.log")

    def server(self, name: str, *flags: str, place: Place | None = None) -> AbstractContextManager[Process]:
        """The server under measurement; those of one name have one data directory."""
        port = free_port()
        line = ["server", "serve", "--port", str(port), "--upstream", f"{self.upstream}/v1", *flags]
        line += ["--data-dir", str(self.directory / name)]
        return Process.running(port, line, self.directory / f"{name}.log", place)

    def database(self, name: str) -> Path:
        return self.directory / name / "graphnexus.db"
