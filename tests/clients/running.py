"""Runs foreign clients as processes of their own, each with a home of its own and nothing that is ours."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.process import ROOT, Server

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
DOCS = ROOT / "docs" / "clients.md"
#: The address all examples of the docs name.
DOCS_URL = "http://127.0.0.1:8000/v1"
LIMIT_S = 60

needs_node = pytest.mark.skipif(
    not (shutil.which("node") and (MODULES / "openai").is_dir()),
    reason="node is missing, or tests/clients/node_modules, which `make test` installs where npm is",
)


def example(client: str, language: str) -> str:
    """What the docs tell users of `client` to write."""
    section = DOCS.read_text().partition(f"\n## {client}\n")[2].partition("\n## ")[0]
    code = re.search(rf"```{language}\n(.*?)```", section, re.S)
    assert code, f"no {language} example of {client}"
    return code[1]


def example_for(client: str, language: str, url: str, model: str) -> str:
    """The same with another address and model."""
    code = example(client, language)
    assert DOCS_URL in code and '"demo"' in code
    return code.replace(DOCS_URL, url).replace('"demo"', json.dumps(model))


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a foreign program is told: where programs are, a home of its own, and nothing of ours."""
    quiet = {"DO_NOT_TRACK": "1", "NO_COLOR": "1", "OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **quiet, **more}


def run(command: list[str], where: Path, env: dict[str, str]) -> str:
    """Standard output of a program that ended well."""
    done = subprocess.run(
        command, cwd=where, env=env, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_code(code: str, language: str, where: Path) -> str:
    """Standard output of a whole program."""
    if language == "js":
        (where / "node_modules").symlink_to(MODULES)
    program = where / ("example.mjs" if language == "js" else "example.py")
    program.write_text(code)
    return run(["node" if language == "js" else sys.executable, str(program)], where, environment(where))


def run_node(program: str, server: Server, model: str, *arguments: str) -> Any:
    """What a program of this folder told as JSON."""
    told = environment(HERE, OPENAI_BASE_URL=server.url, OPENAI_API_KEY="any", MODEL=model)
    return json.loads(run(["node", program, *arguments], HERE, told))
