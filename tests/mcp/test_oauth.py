"""Servers that want OAuth: logging in to them, and what happens to tokens then."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from checkpoints import Credentials
from checkpoints.sqlite import SqliteDatabase
from graph.errors import StoreUnavailable
from graph.seal import Seal
from nodes.mcp.failure import ServerFailed
from nodes.mcp.oauth.credential import Credential, OAuth, Vault
from nodes.mcp.oauth.grants import Authorized, Entrance, Grant
from nodes.mcp.oauth.login import login
from nodes.mcp.oauth.wire import OAuthFailed, Wire
from nodes.mcp.target import Target
from tests.contract import promise
from tests.mcp import oauth_server
from tests.mcp.oauth_server import MACHINE, OAuthServer, Visitor
from tests.store_graph import Caller, opened

Json = dict[str, Any]
_SEAL = Seal(bytes(32))
_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whisper", "arguments": {"text": "hm"}}}


@pytest.fixture(scope="module")
def _process() -> Iterator[OAuthServer]:
    with oauth_server.serve() as server:
        yield server


@pytest.fixture
def guarded(_process: OAuthServer) -> OAuthServer:
    """As it was when it started."""
    _process.tell(lifetime_s=3600, slow_s=0, deny=False, rotate=True)
    return _process


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    async with opened("sqlite", tmp_path / "vault.db") as caller:
        yield Vault(caller.store.credentials, _SEAL)


def entrance(server: OAuthServer, label: str = "guarded", **oauth: Any) -> Entrance:
    return Entrance(label, server.url, OAuth(**oauth))


def wire(server: OAuthServer) -> Wire:
    return Wire((server.url,), 10)


def grant(server: OAuthServer, vault: Vault, **oauth: Any) -> Grant:
    """As one process has it."""
    return Grant(entrance(server, **oauth), vault, wire(server))


async def logged_in(server: OAuthServer, vault: Vault, **oauth: Any) -> Credential:
    return await login(entrance(server, **oauth), vault, wire(server), Visitor())


@asynccontextmanager
async def client(mine: Grant) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=Authorized(httpx.AsyncHTTPTransport(), mine)) as bound:
        yield bound


async def call(mine: Grant) -> str:
    headers = {"accept": "application/json, text/event-stream"}
    async with client(mine) as bound:
        answer = await bound.post(mine.entrance.url, json=_CALL, headers=headers)
    return answer.json()["result"]["content"][0]["text"]


async def _use_up(mine: Grant) -> None:
    while await mine.token():
        await asyncio.sleep(0.05)


@promise("mcp.oauth.login")
async def test_a_login_registers_finds_its_way_and_opens_the_server(guarded: OAuthServer, vault: Vault) -> None:
    before = guarded.counts()
    visitor = Visitor()
    kept = await login(entrance(guarded), vault, wire(guarded), visitor)
    assert await call(grant(guarded, vault)) == "whispered: hm"
    asked = {name: values[0] for name, values in parse_qs(urlsplit(visitor.page).query).items()}
    assert asked["code_challenge_method"] == "S256" and asked["resource"] == guarded.url and len(asked["state"]) > 20
    assert (guarded.counts() - before)["registered"] == 1
    assert kept.scope == "read" and kept.refresh_token


@promise("mcp.oauth.login")
async def test_wanted_scopes_are_asked_for(guarded: OAuthServer, vault: Vault) -> None:
    assert (await logged_in(guarded, vault, scopes=("read", "write"))).scope == "read write"


@promise("mcp.oauth.login.refused")
@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ({"state": "mine"}, "wrong state"),
        ({"iss": "https://evil.example"}, "another authorization server"),
        ({"code": "guessed"}, "invalid_grant"),
        ({"error": "server_error"}, "server_error"),
    ],
)
async def test_an_answer_that_is_not_ours_is_refused(
    guarded: OAuthServer, vault: Vault, instead: Json, said: str
) -> None:
    with pytest.raises(OAuthFailed, match=said):
        await login(entrance(guarded), vault, wire(guarded), Visitor(**instead))
    assert await vault.find("guarded", guarded.url) is None


@promise("mcp.oauth.login.refused")
async def test_a_denied_login_keeps_nothing(guarded: OAuthServer, vault: Vault) -> None:
    guarded.tell(deny=True)
    with pytest.raises(OAuthFailed, match="The login was denied."):
        await logged_in(guarded, vault)
    assert await vault.find("guarded", guarded.url) is None


@promise("mcp.oauth.login.refused")
async def test_a_server_without_oauth_is_called_that(fast: Any, vault: Vault) -> None:
    plain = OAuthServer(fast.port)
    with pytest.raises(OAuthFailed, match="not an OAuth server"):
        await logged_in(plain, vault)


@promise("mcp.oauth.renewed")
async def test_a_token_is_renewed_before_it_expires(guarded: OAuthServer, vault: Vault) -> None:
    guarded.tell(lifetime_s=-60)
    first = await logged_in(guarded, vault)
    guarded.tell(lifetime_s=3600)
    before = guarded.counts()
    mine = grant(guarded, vault)
    assert [await call(mine) for _ in range(3)] == ["whispered: hm"] * 3
    assert ((guarded.counts() - before)["refresh"], (guarded.counts() - before)["refused"]) == (1, 0)
    found = await vault.find("guarded", guarded.url)
    assert found and found[0].refresh_token not in (None, first.refresh_token)


@promise("mcp.oauth.renewed")
async def test_a_refused_token_is_renewed_once_for_all_who_call(guarded: OAuthServer, vault: Vault) -> None:
    await logged_in(guarded, vault)
    guarded.tell(revoke="access")
    before = guarded.counts()
    mine = grant(guarded, vault)
    assert set(await asyncio.gather(*(call(mine) for _ in range(8)))) == {"whispered: hm"}
    assert (guarded.counts() - before)["refresh"] == 1


@promise("mcp.oauth.renewed")
async def test_a_refresh_token_that_is_not_repeated_stays_good(guarded: OAuthServer, vault: Vault) -> None:
    guarded.tell(lifetime_s=0, rotate=False)
    kept = await logged_in(guarded, vault)
    guarded.tell(lifetime_s=3600)
    assert await call(grant(guarded, vault)) == "whispered: hm"
    found = await vault.find("guarded", guarded.url)
    assert found and found[0].refresh_token == kept.refresh_token


@promise("mcp.oauth.renewed")
async def test_a_token_that_is_still_good_is_used_while_none_is_to_be_had(guarded: OAuthServer, vault: Vault) -> None:
    kept = await logged_in(guarded, vault)
    nowhere = kept.authority.model_copy(update={"token_url": "http://127.0.0.1:9/token"})
    soon = {"granted_at": time.time() - 3600, "expires_at": time.time() + 20, "authority": nowhere}
    await vault.put("guarded", kept.model_copy(update=soon))
    assert await call(grant(guarded, vault)) == "whispered: hm"


@promise("mcp.oauth.needed")
async def test_a_logout_is_noticed_within_seconds(guarded: OAuthServer, vault: Vault) -> None:
    await logged_in(guarded, vault)
    mine = grant(guarded, vault)
    assert await call(mine) == "whispered: hm"
    await vault.drop("guarded")
    with pytest.raises(ServerFailed, match="needs a login"):
        await asyncio.wait_for(_use_up(mine), 5)


@promise("mcp.oauth.needed")
async def test_too_few_scopes_are_told(guarded: OAuthServer, vault: Vault) -> None:
    await logged_in(guarded, vault, scopes=("write",))
    with pytest.raises(ServerFailed, match=r"wants more scopes.* Run `graphnexus mcp login guarded`."):
        await call(grant(guarded, vault, scopes=("write",)))


@promise("mcp.oauth.sealed")
async def test_another_key_opens_nothing(guarded: OAuthServer, tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path / "vault.db") as caller:
        await logged_in(guarded, Vault(caller.store.credentials, _SEAL))
        assert await Vault(caller.store.credentials, Seal(bytes(31) + b"1")).find("guarded", guarded.url) is None


@promise("mcp.oauth.renewed.together")
async def test_two_processes_never_lose_a_rotated_token(name: str, guarded: OAuthServer, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as one, opened(name, path) as other:
        vaults = [Vault(each.store.credentials, _SEAL) for each in (one, other)]
        guarded.tell(lifetime_s=0)
        await logged_in(guarded, vaults[0])
        guarded.tell(lifetime_s=3600, slow_s=0.3)
        before = guarded.counts()
        grants = [grant(guarded, vaults[at % 2]) for at in range(6)]
        assert set(await asyncio.gather(*(call(mine) for mine in grants))) == {"whispered: hm"}
        assert (guarded.counts() - before)["refresh"] == 1


@promise("mcp.oauth.renewed.together")
async def test_a_caller_who_leaves_does_not_lose_the_new_token(guarded: OAuthServer, vault: Vault) -> None:
    guarded.tell(lifetime_s=0)
    await logged_in(guarded, vault)
    guarded.tell(lifetime_s=3600, slow_s=0.3)
    mine = grant(guarded, vault)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await call(mine)
    before = guarded.counts()
    assert await call(mine) == "whispered: hm"
    assert (guarded.counts() - before)["refresh_again"] == 0


class Away(Credentials):
    """A table whose database is away when the next row is replaced."""

    away = 1

    async def swap(self, label: str, stamp: str, sealed: str) -> bool:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("It is away.")
        return await super().swap(label, stamp, sealed)


@promise("mcp.oauth.renewed.together")
async def test_a_new_token_outlives_a_database_that_was_away(guarded: OAuthServer, tmp_path: Path) -> None:
    database = await asyncio.to_thread(SqliteDatabase, await _made(tmp_path / "vault.db"), "NORMAL")
    rows = Away(database)
    guarded.tell(lifetime_s=0)
    await logged_in(guarded, Vault(rows, _SEAL))
    guarded.tell(lifetime_s=3600)
    before = guarded.counts()
    assert await call(grant(guarded, Vault(rows, _SEAL))) == "whispered: hm"
    assert await call(grant(guarded, Vault(rows, _SEAL))) == "whispered: hm"
    assert ((guarded.counts() - before)["refresh"], rows.away) == (1, 0)
    await asyncio.to_thread(database.close)


async def _made(path: Path) -> Path:
    async with opened("sqlite", path):
        return path


@promise("mcp.oauth.needed")
async def test_without_a_login_the_fix_is_named(guarded: OAuthServer, vault: Vault) -> None:
    with pytest.raises(ServerFailed, match="Run `graphnexus mcp login guarded`."):
        await call(grant(guarded, vault))


@promise("mcp.oauth.needed")
async def test_a_revoked_grant_needs_another_login_which_needs_no_restart(guarded: OAuthServer, vault: Vault) -> None:
    await logged_in(guarded, vault)
    mine = grant(guarded, vault)
    assert await call(mine) == "whispered: hm"
    guarded.tell(revoke="all")
    with pytest.raises(ServerFailed, match="Run `graphnexus mcp login guarded`."):
        await call(mine)
    found = await vault.find("guarded", guarded.url)
    assert found and not found[0].alive
    await logged_in(guarded, vault)
    assert await call(mine) == "whispered: hm"


@promise("mcp.oauth.machine")
async def test_client_credentials_need_no_person(guarded: OAuthServer, vault: Vault) -> None:
    said = {"client_id": MACHINE[0], "client_secret": MACHINE[1], "token_url": f"{guarded.origin}/machine/token"}
    mine = grant(guarded, vault, grant="client_credentials", **said)
    assert await call(mine) == "whispered: hm"
    guarded.tell(revoke="access")
    assert await call(mine) == "whispered: hm"
    wrong = grant(guarded, vault, grant="client_credentials", **{**said, "client_secret": "wrong-secret-99"})
    guarded.tell(revoke="access")
    with pytest.raises(ServerFailed, match="invalid_client") as refused:
        await call(wrong)
    assert "wrong-secret-99" not in refused.value.message


@promise("mcp.oauth.bound")
async def test_a_token_is_shown_to_no_other_server_of_that_label(guarded: OAuthServer, vault: Vault) -> None:
    await logged_in(guarded, vault)
    moved = Entrance("guarded", "http://127.0.0.1:9/mcp", OAuth())
    with pytest.raises(ServerFailed, match="needs a login"):
        await Grant(moved, vault, wire(guarded)).token()


@promise("mcp.oauth.bound")
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("https://169.254.169.254/token", "private"),
        ("http://localhost:9/token", "private"),
        ("http://8.8.4.4/token", "https only"),
    ],
)
async def test_a_public_server_leads_to_no_private_address_and_not_past_https(place: str, said: str) -> None:
    public = Wire(("https://8.8.8.8/mcp",), 5)
    with pytest.raises(OAuthFailed, match=said):
        await public.send(httpx.Request("POST", place, content=b"secret"))


@promise("mcp.oauth.sealed")
async def test_tokens_are_taken_out_of_what_the_server_repeats(guarded: OAuthServer, vault: Vault) -> None:
    await logged_in(guarded, vault)
    mine = grant(guarded, vault)
    first = await mine.token()
    target = Target(guarded.url, grant=mine)
    second = await mine.token(refused=first)
    said = target.redacted(f"Who are you, {first}? {second}!")
    assert said == "Who are you, [redacted]? [redacted]!"


@promise("mcp.oauth.bound")
async def test_a_redirect_of_the_authorization_server_is_not_followed(guarded: OAuthServer, vault: Vault) -> None:
    said = {"client_id": MACHINE[0], "client_secret": MACHINE[1], "token_url": f"{guarded.origin}/elsewhere"}
    with pytest.raises(ServerFailed, match="answers 307"):
        await grant(guarded, vault, grant="client_credentials", **said).token()


@promise("mcp.oauth.sealed")
async def test_rows_are_replaced_by_those_who_know_what_was_there(name: str, caller: Caller) -> None:
    rows = caller.store.credentials
    assert await rows.find("docs") is None
    await rows.put("docs", "one")
    found = await rows.find("docs")
    assert found and found[0] == "one"
    assert await rows.reserve("docs", found[1], 60)
    assert not await rows.reserve("docs", found[1], 60)
    assert await rows.swap("docs", found[1], "two")
    assert not await rows.swap("docs", found[1], "three")
    found = await rows.find("docs")
    assert found and found[0] == "two"
    assert await rows.reserve("docs", found[1], -1)  # whose time is over at once
    assert await rows.reserve("docs", found[1], 60)
    await rows.release("docs", found[1])
    assert await rows.reserve("docs", found[1], 60)
    assert await rows.drop("docs")
    assert not await rows.drop("docs")
    assert not await rows.swap("docs", found[1], "four")
