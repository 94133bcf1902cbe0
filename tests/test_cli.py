"""The command `graphnexus`, run the way a person runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest
from openai import OpenAI

from server import __version__
from server.settings import Settings
from tests.conftest import StartServer
from tests.process import ROOT, Server, free_port, run_module
from tests.upstream import Upstream, says

LIMIT_S = 60


def graphnexus(*line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, in an environment without settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHNEXUS_", "OPENAI_"))}
    return run_module("server", *line, environment={**kept, "NO_COLOR": "1", "COLUMNS": "200", **environment})


def one_line(said: str) -> str:
    assert said.count("\n") == 1, said
    return said.rstrip("\n")


@pytest.fixture
def data(tmp_path: Path) -> tuple[str, str]:
    return "--data-dir", str(tmp_path / "kept")


def test_the_version_is_printed_both_ways() -> None:
    assert graphnexus("--version").stdout == graphnexus("version").stdout == f"graphnexus {__version__}\n"


def test_help_names_every_command_and_serve_every_setting() -> None:
    assert all(word in graphnexus("--help").stdout for word in ("serve", "demo", "doctor", "keys"))
    flags = graphnexus("serve", "--help").stdout
    assert all(flag in flags for flag in ("--config", "--host", "--port", "--upstream", "--data-dir", "--insecure"))
    assert "--secret-key" not in flags, "a command line is no place for secrets"


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; import server.cli; print([m for m in ('pydantic', 'fastapi', 'langgraph') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_bad_setting_is_one_line_that_names_it(command: str) -> None:
    ended = graphnexus(command, "--port", "many")
    assert ended.returncode == 2
    assert re.fullmatch(r"graphnexus: port: .*'many' \(--port\)", one_line(ended.stderr))


def test_a_bad_variable_and_a_bad_file_are_one_line_too(tmp_path: Path) -> None:
    variable = graphnexus("serve", GRAPHNEXUS_MAX_BODY_BYTES="much")
    assert variable.returncode == 2
    assert one_line(variable.stderr).endswith("found 'much' (GRAPHNEXUS_MAX_BODY_BYTES)")
    config = tmp_path / "a.toml"
    config.write_text("prot = 8000")
    file = graphnexus("serve", "--config", str(config))
    assert file.returncode == 2
    assert one_line(file.stderr) == f"graphnexus: prot: there is no such setting ({config})"


def test_settings_lists_every_setting() -> None:
    rows = graphnexus("settings").stdout.splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(Settings.model_fields)
    assert all(row.count("|") == 4 for row in rows)


@pytest.mark.parametrize("line", [("serve",), ("keys", "list"), ("keys", "create", "alice")])
def test_a_data_directory_that_cannot_be_is_one_line(line: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = graphnexus(*line, "--data-dir", str(tmp_path / "file" / "kept"))
    assert ended.returncode == 2
    assert one_line(ended.stderr).startswith("graphnexus: data_dir: ")


def test_an_unknown_flag_is_refused() -> None:
    ended = graphnexus("serve", "--prot", "1")
    assert ended.returncode == 2
    assert "--prot" in ended.stderr


def test_other_machines_are_let_in_only_with_keys_or_insecure(data: tuple[str, str]) -> None:
    ended = graphnexus("serve", "--host", "0.0.0.0", *data)
    assert ended.returncode == 2
    assert "--insecure" in one_line(ended.stderr)
    assert "graphnexus keys create" in ended.stderr


def test_a_port_in_use_is_one_line(server: Server, data: tuple[str, str]) -> None:
    ended = graphnexus("serve", "--port", str(server.port), *data)
    assert ended.returncode == 1
    assert f"127.0.0.1:{server.port}: address already in use" in one_line(ended.stderr)


def test_a_second_server_on_the_same_data_is_refused_in_one_line(server: Server) -> None:
    ended = graphnexus("serve", "--port", "0", "--data-dir", str(server.data_dir / "kept"))
    assert ended.returncode == 2
    assert "another server is using" in one_line(ended.stderr)


def test_ctrl_c_stops_the_server_with_exit_0(upstream: Upstream, tmp_path: Path) -> None:
    ours = Server(tmp_path, upstream.url).start()
    os.kill(ours.pid, signal.SIGINT)
    assert ours.stop() == 0
    said = ours.log()
    assert "Traceback" not in said
    assert f"listens on {ours.url}" in said


def test_a_server_told_to_stop_takes_no_more_work_and_finishes_what_it_has(
    start_server: StartServer, upstream: Upstream
) -> None:
    rest = threading.Event()
    upstream.on("stop-late").will(says("one two three").pauses(1, rest))
    ours = start_server()
    with OpenAI(base_url=ours.url, api_key="any", max_retries=0) as client:
        events = iter(client.responses.create(model="stop-late", input="go", stream=True))
        first = next(events).type
        os.kill(ours.pid, signal.SIGTERM)
        wait_until_closed(ours.port)
        rest.set()
        kinds = [first, *(event.type for event in events)]
    assert kinds[-1] == "response.completed"
    assert ours.stop() == 0


def test_who_has_connected_when_the_server_is_told_to_stop_is_still_answered(start_server: StartServer) -> None:
    ours = start_server()
    with socket.create_connection(("127.0.0.1", ours.port), timeout=LIMIT_S) as connected:
        time.sleep(0.1)  # accepted
        os.kill(ours.pid, signal.SIGTERM)
        wait_until_closed(ours.port)
        connected.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connected.recv(64).startswith(b"HTTP/1.1 200 ")
    assert ours.stop() == 0


def test_a_response_that_outlasts_the_grace_is_failed(start_server: StartServer, upstream: Upstream) -> None:
    upstream.on("never-ends").will(says("one two three").stalls(1))
    ours = start_server("--shutdown-grace-s", "0.5")
    with OpenAI(base_url=ours.url, api_key="any", max_retries=0, timeout=LIMIT_S) as client:
        events = iter(client.responses.create(model="never-ends", input="go", stream=True))
        next(events)
        told = time.monotonic()
        os.kill(ours.pid, signal.SIGTERM)
        with pytest.raises(openai.APIError, match="The server was stopped"):
            list(events)
    assert ours.stop() == 0
    assert time.monotonic() - told < 8


def wait_until_closed(port: int) -> None:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise TimeoutError(f"port {port} still listens")


def test_keys_open_the_server_until_they_are_revoked(
    start_server: StartServer, upstream: Upstream, tmp_path: Path
) -> None:
    kept = ("--data-dir", str(tmp_path / "server-0" / "kept"))
    assert graphnexus("keys", "list", *kept).stdout == ""
    key = one_line(graphnexus("keys", "create", "alice", "--label", "laptop", *kept).stdout)
    listed = one_line(graphnexus("keys", "list", *kept).stdout)
    assert "alice" in listed
    assert "laptop" in listed
    assert key not in listed

    ours = start_server()
    with OpenAI(base_url=ours.url, api_key=key, max_retries=0) as client:
        assert client.models.list().data
    with (
        OpenAI(base_url=ours.url, api_key="sk-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as wrong,
    ):
        stranger.models.list()
    assert wrong.value.code == "invalid_api_key"
    assert httpx2.get(f"{ours.url}/models").status_code == 401
    assert httpx2.get(f"{ours.origin}/health").status_code == 200

    id = listed.split()[0]
    assert graphnexus("keys", "revoke", id, *kept).returncode == 0
    again = graphnexus("keys", "revoke", id, *kept)
    assert again.returncode == 1
    assert id in one_line(again.stderr)
    assert "revoked" in graphnexus("keys", "list", *kept).stdout
    until = time.monotonic() + LIMIT_S
    while httpx2.get(f"{ours.url}/models", headers={"authorization": f"Bearer {key}"}).status_code != 401:
        assert time.monotonic() < until, "the running server still believes in a revoked key"
        time.sleep(0.2)


def test_a_configured_key_has_its_owners_rows_only(start_server: StartServer, upstream: Upstream) -> None:
    script = upstream.on("owned")
    script.will(says("mine"))
    ours = start_server(GRAPHNEXUS_API_KEYS="alice:sk-a,bob:sk-b")
    with (
        OpenAI(base_url=ours.url, api_key="sk-a", max_retries=0) as alice,
        OpenAI(base_url=ours.url, api_key="sk-b", max_retries=0) as bob,
    ):
        made = alice.responses.create(model="owned", input="hi")
        assert alice.responses.retrieve(made.id).output_text == "mine"
        with pytest.raises(openai.NotFoundError):
            bob.responses.retrieve(made.id)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({}, 200),
    ],
)
def test_a_server_without_keys_answers_no_foreign_page(server: Server, headers: dict[str, str], status: int) -> None:
    answer = httpx2.get(f"{server.url}/models", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["type"] == "permission_error"


def test_pages_and_names_can_be_allowed(start_server: StartServer) -> None:
    ours = start_server("--allowed-origins", "http://page.example", "--allowed-hosts", "proxy.example")
    allowed = {"host": "proxy.example", "origin": "http://page.example"}
    assert httpx2.get(f"{ours.url}/models", headers=allowed).status_code == 200
    asked = {**allowed, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = httpx2.options(f"{ours.url}/responses", headers=asked)
    assert preflight.headers["access-control-allow-origin"] == "http://page.example"
    assert httpx2.get(f"{ours.url}/models", headers={"origin": "http://other.example"}).status_code == 403


@pytest.fixture
def quiet(data: tuple[str, str]) -> tuple[str, ...]:
    return (*data, "--no-discover", "--port", str(free_port()))


def test_doctor_finds_nothing_wrong_with_the_defaults(quiet: tuple[str, ...]) -> None:
    ended = graphnexus("doctor", *quiet)
    assert ended.returncode == 0, ended.stdout
    assert "✗" not in ended.stdout
    assert "`demo`" in ended.stdout


def test_doctor_names_what_is_broken_and_the_fix(quiet: tuple[str, ...]) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    ended = graphnexus("doctor", "--upstream", nowhere, "--host", "0.0.0.0", *quiet, GRAPHNEXUS_PROT="1")
    assert ended.returncode == 1
    assert f"✗ {nowhere} cannot be reached" in ended.stdout
    assert "--insecure" in ended.stdout
    assert "GRAPHNEXUS_PROT is no setting" in ended.stdout


def test_doctor_asks_the_model_server(upstream: Upstream, quiet: tuple[str, ...]) -> None:
    ended = graphnexus("doctor", "--upstream", upstream.url, *quiet, OPENAI_API_KEY="sk-hidden")
    assert ended.returncode == 0, ended.stdout
    assert re.search(rf"✓ {re.escape(upstream.url)} has \d+ models", ended.stdout)
    assert "sk-hidden" not in ended.stdout


def test_demo_walks_to_its_end() -> None:
    ended = graphnexus("demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "simulated" in ended.stdout
    assert "→ 5050" in ended.stdout
    assert "after delete: 404" in ended.stdout
    assert "Traceback" not in ended.stderr
