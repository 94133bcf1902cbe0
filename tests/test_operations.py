"""What operators rely on: health, doctor, and the files for containers."""

import asyncio
import json
import re
import shlex
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
import yaml
from openai import NotFoundError, OpenAI

from server.flags import ALL
from server.health import Health
from server.settings import Settings, variable
from tests.conftest import StartServer
from tests.contract import promise
from tests.postgres import Postgres, url_of
from tests.process import ROOT, Server
from tests.test_cli import graphnexus
from tests.upstream import Upstream, says

LIMIT_S = 30.0
FLAGS = {"--" + name.replace("_", "-") for name in ALL}
ENVIRONMENT = {variable(name) for name in Settings.model_fields}


def wait_for(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.05)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the test's own, to be stopped."""
    server = Postgres()
    yield server
    server.close()


def asked(server: Server, path: str) -> tuple[int, Any]:
    answer = httpx2.get(f"{server.origin}{path}", timeout=LIMIT_S)
    return answer.status_code, answer.json()


@promise("operations.health")
def test_a_server_without_its_database_is_alive_but_not_healthy(
    start_server: StartServer, upstream: Upstream, postgres: Postgres
) -> None:
    upstream.on("health").will(says("there"), says("there again"))
    server = start_server(GRAPHNEXUS_DATABASE_URL=postgres.url, GRAPHNEXUS_METRICS_KEY="sk-operator")
    assert asked(server, "/health") == (200, {"status": "ok"})
    with OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        made = client.responses.create(model="health", input="hi", background=True)
        wait_for(lambda: client.responses.retrieve(made.id).status == "completed", "all of the server has started")
    postgres.stop()
    wait_for(lambda: asked(server, "/health")[0] == 503, "the server sees that its database is away")
    assert asked(server, "/health")[1] == {"status": "unavailable", "reason": "database"}
    assert asked(server, "/live") == (200, {"status": "ok"})
    metrics = httpx2.get(f"{server.origin}/metrics", headers={"authorization": "Bearer sk-operator"})
    assert metrics.status_code == 200 and "graphnexus_store_up 0.0" in metrics.text
    began = time.monotonic()
    for _ in range(20):
        assert asked(server, "/health")[0] == 503
    assert time.monotonic() - began < 10, "what is known to be away is not waited for"
    postgres.start()
    wait_for(lambda: asked(server, "/health")[0] == 200, "the server is healthy again")
    with OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        assert client.responses.create(model="health", input="hi").output_text == "there again"


async def test_a_database_that_is_back_is_seen_however_rarely_somebody_asks() -> None:
    away = [True]

    async def ask() -> None:
        await asyncio.sleep(0.01)
        if away[0]:
            raise OSError

    health, said = Health(ask), list[str | None]()
    for away[0] in (True, True, False, False, True, True):
        said.append(await health.problem())
        await asyncio.sleep(0.6)
    assert said == ["database", "database", "database", None, "database", "database"]


@promise("operations.doctor")
def test_doctor_examines_a_shared_database(start_server: StartServer, tmp_path: Path) -> None:
    url = url_of(tmp_path, empty=True) + "&application_name=sk-hidden"
    mine = ("--data-dir", str(tmp_path / "mine"), "--no-discover")
    before = graphnexus("doctor", *mine, GRAPHNEXUS_DATABASE_URL=url)
    assert before.returncode == 0, before.stdout
    assert re.search(r"✓ The database answers: \S+, PostgreSQL \d+", before.stdout)
    assert "`serve` makes them" in before.stdout
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert not tables, "doctor changes nothing"
    server = start_server(GRAPHNEXUS_DATABASE_URL=url)
    its = ("--data-dir", str(server.data_dir / "kept"), "--no-discover")
    same = graphnexus("doctor", *its, GRAPHNEXUS_DATABASE_URL=url)
    assert same.returncode == 0, same.stdout
    assert re.search(r"It answers in [\d.]+ ms; its clock is [+-]0\.\d+ s", same.stdout)
    assert "✓ Processes that serve this database: 1 of" in same.stdout
    assert "✓ The sealing key is the one" in same.stdout
    other = graphnexus("doctor", *mine, "--workers", "50", GRAPHNEXUS_DATABASE_URL=url)
    assert other.returncode == 1
    assert "✗ The sealing key is not the one" in other.stdout
    assert "Lower `database_pool`" in other.stdout
    assert "sk-hidden" not in before.stdout + same.stdout + other.stdout


def test_doctor_says_that_a_database_is_away(tmp_path: Path) -> None:
    url = "postgresql://me:sk-hidden@127.0.0.1:1/there"
    ended = graphnexus("doctor", "--no-discover", "--data-dir", str(tmp_path), GRAPHNEXUS_DATABASE_URL=url)
    assert ended.returncode == 1
    assert "✗ The store does not open: 127.0.0.1:1/there" in ended.stdout
    assert "sk-hidden" not in ended.stdout


# ------------------------------------------------------------ containers


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
#: What a service of a compose file may say, of what we use. Source: Compose Specification, "Services".
SERVICE = {
    "build", "command", "configs", "depends_on", "deploy", "environment", "healthcheck", "image", "init", "ports",
    "restart", "secrets", "stop_grace_period", "volumes",
}  # fmt: skip
HEALTHCHECK = {"test", "interval", "timeout", "retries", "start_period"}


def ours() -> dict[str, Any]:
    return {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


@promise("operations.compose")
def test_the_compose_file_says_only_what_there_is() -> None:
    assert set(COMPOSE) <= {"name", "services", "volumes", "configs", "secrets"}
    for service in COMPOSE["services"].values():
        assert set(service) <= SERVICE
        assert set(service.get("healthcheck", {})) <= HEALTHCHECK
        for other in service.get("depends_on", {}):
            condition = service["depends_on"][other]["condition"]
            assert condition in ("service_healthy", "service_started") and other in COMPOSE["services"]
            needs_check = condition == "service_healthy" and "build" not in COMPOSE["services"][other]
            assert not needs_check or "healthcheck" in COMPOSE["services"][other]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in COMPOSE["volumes"]
        for config in service.get("configs", []):
            assert config["source"] in COMPOSE["configs"]


@promise("operations.compose")
def test_replicas_are_given_settings_that_there_are_and_the_same_key() -> None:
    assert len(ours()) == 2
    for service in ours().values():
        environment, command = service["environment"], service["command"]
        assert command[0] == "serve" and set(command[1::2]) <= FLAGS
        assert set(environment) <= ENVIRONMENT
        assert environment["GRAPHNEXUS_DATABASE_URL"].startswith("postgresql://")
        assert "GRAPHNEXUS_SECRET_KEY" in environment and "GRAPHNEXUS_API_KEYS" in environment
        assert seconds(service["stop_grace_period"]) > Settings().shutdown_grace_s + 15
    assert len({str(service["environment"]) for service in ours().values()}) == 1


@promise("operations.compose")
def test_what_must_be_chosen_is_asked_for() -> None:
    """Secrets have no defaults: without them compose refuses to start."""
    text = (ROOT / "compose.yaml").read_text()
    asked_for = set(re.findall(r"\$\{(\w+):\?", text))
    assert {"GRAPHNEXUS_SECRET_KEY", "GRAPHNEXUS_API_KEYS", "POSTGRES_PASSWORD"} <= asked_for
    assert not re.findall(r"\$\{(?:GRAPHNEXUS_SECRET_KEY|GRAPHNEXUS_API_KEYS|POSTGRES_PASSWORD)(?!:\?)", text)


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


@promise("operations.compose")
def test_the_image_starts_a_command_that_there_is() -> None:
    known = ["CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"]
    said = [line.split()[0] for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and line[0] not in "# "]
    assert set(said) <= set(known)
    [entry], [command] = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entry) == ["graphnexus"] and json.loads(command) == ["serve"]
    set_there = {pair.split("=")[0] for line in instructions("ENV") for pair in shlex.split(line)}
    assert {name for name in set_there if name.startswith("GRAPHNEXUS_")} <= ENVIRONMENT
    assert instructions("USER") and instructions("USER")[-1] not in ("root", "0")
    assert "graphnexus" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@promise("operations.compose")
def test_the_image_copies_what_is_there_and_not_what_is_secret() -> None:
    ignored = {line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines()}
    assert {".git", ".venv", "**/*.db", "**/secret.key", "graphnexus.toml", ".env"} <= ignored
    for line in instructions("COPY"):
        if "--from" not in line:
            assert all((ROOT / source).exists() for source in shlex.split(line)[:-1]), line


@promise("operations.compose")
def test_the_health_check_of_the_image_tells_the_healthy_from_the_rest(server: Server) -> None:
    [check] = instructions("HEALTHCHECK")
    command = check.partition("CMD ")[2]
    here = command.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace("python", sys.executable, 1)
    assert run(here) == 0
    assert run(here.replace("/health", "/nothing")) != 0


def run(command: str) -> int:
    return subprocess.run(json.loads(command), check=False, capture_output=True, timeout=LIMIT_S).returncode


# ------------------------------------------------------------ backup


@promise("operations.backup")
def test_the_backup_that_is_described_can_be_served(start_server: StartServer, upstream: Upstream) -> None:
    upstream.on("backup").will(says("kept"), says("not in the backup"), says("goes on"))
    server = start_server()
    kept = server.data_dir / "kept"
    with OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        made = client.responses.create(model="backup", input="hi")
        [sql] = re.findall(r'^sqlite3 graphnexus\.db "(.+)"$', (ROOT / "docs/operations.md").read_text(), re.M)
        with closing(sqlite3.connect(kept / "graphnexus.db")) as database:
            database.execute(sql.replace("backup.db", str(kept / "backup.db")))
        late = client.responses.create(model="backup", input="later")
        server.stop()
        for name in ("graphnexus.db", "graphnexus.db-wal", "graphnexus.db-shm", "engine.db"):
            (kept / name).unlink(missing_ok=True)
        (kept / "backup.db").rename(kept / "graphnexus.db")
        server.start()
        assert client.responses.retrieve(made.id).to_dict() == made.to_dict()
        with pytest.raises(NotFoundError):
            client.responses.retrieve(late.id)
        assert (
            client.responses.create(model="backup", input="on", previous_response_id=made.id).output_text == "goes on"
        )
