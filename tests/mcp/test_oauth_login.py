"""`graphnexus mcp login` beside a running server, and what the server does with and without it."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, OpenAI

from nodes.mcp.oauth.credential import Vault
from nodes.mcp.oauth.grants import entrances
from nodes.mcp.oauth.login import login
from nodes.mcp.oauth.wire import OAuthFailed
from server.commands import call
from server.data import open_store
from server.mcp_desk import open_desk
from server.mcp_servers import as_text, findings, found
from server.secret import seal_of
from server.settings import BadSetting, load
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.mcp import oauth_server
from tests.mcp.oauth_server import OAuthServer, Visitor
from tests.process import ROOT, free_port
from tests.recorder import Recorder
from tests.upstream import Script, calls, says

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
TOOL: Any = {"type": "mcp", "server_label": "guarded", "require_approval": "never"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[OAuthServer]:
    with oauth_server.serve() as server:
        yield server


class Terminal:
    """Runs `graphnexus mcp …` for one settings file."""

    def __init__(self, data: Path, config: Path) -> None:
        self._options = ["--data-dir", str(data), "--config", str(config)]
        self.said = ""

    def start(self, *line: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "server", "mcp", *line, *self._options]
        return subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, text=True, stdout=-1, stderr=subprocess.STDOUT
        )

    def run(self, *line: str) -> tuple[int, str]:
        process = self.start(*line)
        said, _ = process.communicate(timeout=30)
        self.said += said
        return process.returncode, said.strip()

    def log_in(self) -> str:
        """With a person who opens the page and says yes; the last line that is printed."""
        with self.start("login", "guarded", "--no-browser") as process:
            assert process.stdout
            page = next(line.strip() for line in process.stdout if line.strip().startswith("http://"))
            with urllib.request.urlopen(page, timeout=10) as thanks:
                assert b"can be closed" in thanks.read()
            said = process.stdout.read()
        self.said += said
        assert process.returncode == 0, said
        return said.strip()


@pytest.fixture
def config(tmp_path: Path, guarded: OAuthServer) -> Path:
    path = tmp_path / "graphnexus.toml"
    path.write_text(f'[[mcp_server]]\nlabel = "guarded"\nurl = "{guarded.url}"\noauth = {{}}\n')
    return path


def asked(client: OpenAI, model: str) -> Any:
    return client.responses.create(model=model, input="q", tools=[TOOL])


@promise("mcp.oauth.needed", "mcp.oauth.login", "mcp.oauth.sealed")
def test_a_login_opens_a_server_for_one_that_is_running_and_a_logout_closes_it(
    start_server: StartServer, config: Path, guarded: OAuthServer, script: Script, model: str, recorder: Recorder
) -> None:
    ours = start_server("--config", str(config))
    terminal = Terminal(ours.data_dir / "kept", config)
    with client_of(ours, recorder) as client:
        with pytest.raises(APIStatusError) as refused:
            asked(client, model)
        assert refused.value.status_code == 424
        assert "Run `graphnexus mcp login guarded`." in refused.value.message
        assert terminal.log_in().startswith("Logged in to 'guarded': scopes read, expires 20")
        script.will(calls("whisper", text="hm"), says("Heard."), calls("whisper", text="again"), says("Heard it."))
        assert asked(client, model).output_text == "Heard."
        guarded.tell(revoke="access")
        response = asked(client, model)
        assert [item.output for item in response.output if item.type == "mcp_call"] == ["whispered: again"]
        assert terminal.run("logout", "guarded") == (0, "Logged out of 'guarded'.")
        assert terminal.run("logout", "guarded") == (1, "graphnexus: there is no login to 'guarded'")
    seen = guarded.seen()
    assert len(seen["secrets"]) >= 6
    ours.stop()
    kept = b"".join(path.read_bytes() for path in ours.data_dir.rglob("*") if path.is_file())
    everywhere = kept + terminal.said.encode() + ours.log().encode()
    assert not [secret for secret in seen["secrets"] if secret.encode() in everywhere]


@promise("mcp.oauth.needed")
async def test_the_list_of_servers_says_how_a_login_stands(config: Path, guarded: OAuthServer, tmp_path: Path) -> None:
    settings = load({"data_dir": str(tmp_path / "kept")}, config)
    assert as_text(await found(settings)).split(maxsplit=2)[2] == "down       login needed"
    assert [finding.fix for finding in await findings(settings)] == ["graphnexus mcp login guarded"]
    async with open_store(settings) as store:
        entrance = entrances(settings.mcp_server)["guarded"]
        await login(entrance, Vault(store.credentials, seal_of(settings)), entrance.wire(10), Visitor())
    listed = as_text(await found(settings))
    assert re.search(r"reachable  1 tools, expires 20[0-9-]{8} [0-9:]{5} UTC and is renewed$", listed)


@promise("mcp.oauth.login")
def test_the_documentation_shows_settings_that_are_right(tmp_path: Path) -> None:
    shown = [code for language, code in _BLOCK.findall((ROOT / "docs/mcp-oauth.md").read_text()) if language == "toml"]
    assert len(shown) == 3
    path = tmp_path / "graphnexus.toml"
    for code in shown:
        path.write_text(re.sub(r'_env = "\w+"', ' = "secret"', code))
        assert load({}, path).mcp_server[0].oauth
    path.write_text(shown[2])
    with pytest.raises(BadSetting, match="the variable STOCK_SECRET is not set"):
        load({}, path)
    path.write_text(shown[2].replace("[[mcp_server]]", "[[mcp_server]]\nenabled = false"))
    assert not load({}, path).mcp_server[0].enabled


@promise("mcp.oauth.login.refused")
def test_a_label_that_stands_for_nothing_is_one_line(config: Path, tmp_path: Path) -> None:
    said = Terminal(tmp_path / "kept", config).run("login", "nobody")
    line = "graphnexus: there is no MCP server 'nobody' with `oauth` in the settings; there are: guarded"
    assert said == (1, line)


@promise("mcp.oauth.login.refused")
def test_a_login_that_fails_is_one_line(config: Path, tmp_path: Path) -> None:
    line = ["mcp", "login", "guarded", "--no-browser", "--timeout", "1", "--config", str(config)]
    with pytest.raises(SystemExit) as ended:
        call([*line, "--data-dir", str(tmp_path / "kept")])
    assert ended.value.code == ("graphnexus: no login to 'guarded': Nobody came back from that page within 1 s.")


@promise("mcp.oauth.login.refused")
async def test_a_person_who_never_comes_back_is_waited_for_so_long(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_desk(0, browser=False, limit_s=0.05) as desk:
        with pytest.raises(OAuthFailed, match="Nobody came back from that page within 0.05 s."):
            await desk.ask("https://page.example/authorize")
    assert "https://page.example/authorize" in capsys.readouterr().out


@promise("mcp.oauth.login.refused")
async def test_the_first_answer_counts_and_a_taken_port_is_said() -> None:
    port = free_port()
    async with open_desk(port, browser=False, limit_s=5) as desk, httpx2.AsyncClient() as browser:
        with pytest.raises(OAuthFailed, match=f"Port {port} cannot be listened on: address already in use."):
            await open_desk(port, browser=False, limit_s=1).__aenter__()
        for code in "12":
            back = await browser.get(desk.redirect_uri, params={"code": code, "state": "s"})
            assert back.status_code == 200
        assert (await browser.get(f"http://127.0.0.1:{port}/other")).status_code == 404
        assert await desk.ask("page") == {"code": "1", "state": "s"}
