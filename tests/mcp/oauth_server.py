"""A real MCP server that wants OAuth, and its authorization server: those of `mcp`, in a process of their own.

`python -m tests.mcp.oauth_server PORT` is both; `serve()` starts it. It says yes to everyone who comes, and can be told
otherwise: see `Provider`.
"""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.process import free_port

_ROOT = Path(__file__).parent.parent.parent
MACHINE = ("machine", "machine-secret-7f3a")


@dataclass
class OAuthServer:
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def tell(self, **settings: Any) -> None:
        """`lifetime_s` of tokens, `deny` logins, `revoke` all tokens, `rotate` refresh tokens, `slow_s` to renew."""
        self._get(f"/control?{urllib.parse.urlencode(settings)}")

    def seen(self) -> dict[str, Any]:
        """`counts` of what was asked, all `secrets` it ever gave out, and the `resources` asked for."""
        return self._get("/seen")

    def counts(self) -> Counter[str]:
        return Counter(self.seen()["counts"])

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.origin}{path}", timeout=5) as answer:
            return json.load(answer)


@contextmanager
def serve() -> Iterator[OAuthServer]:
    server = OAuthServer()
    command = [sys.executable, "-m", "tests.mcp.oauth_server", str(server.port)]
    server.process = subprocess.Popen(command, cwd=_ROOT, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    deadline = time.monotonic() + 30
    try:
        while True:
            try:
                server.seen()
                break
            except OSError:
                assert server.process.poll() is None and time.monotonic() < deadline, "it did not start"
                time.sleep(0.05)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


class Visitor:
    """A person with a browser that shows nothing."""

    redirect_uri = "http://127.0.0.1:45454/callback"

    def __init__(self, **instead: str) -> None:
        self._instead = instead
        self.page = ""

    async def ask(self, page: str) -> Mapping[str, str]:
        self.page = page
        async with httpx.AsyncClient() as browser:
            back = (await browser.get(page)).headers["location"]
        assert back.startswith(self.redirect_uri)
        said = {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(back).query).items()}
        return {**said, **self._instead}


# ---------------------------------------------------------------- the child


class Provider:
    """Fits `mcp.server.auth.provider.OAuthAuthorizationServerProvider`."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}
        self.codes: dict[str, Any] = {}
        self.access: dict[str, Any] = {}
        self.refresh: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()
        self.secrets: list[str] = []
        self.resources: list[str | None] = []
        self.lifetime_s = 3600.0
        self.deny = False
        self.rotate = True
        self.slow_s = 0.0

    async def get_client(self, client_id: str) -> Any:
        return self.clients.get(client_id)

    async def register_client(self, client_info: Any) -> None:
        self.counts["registered"] += 1
        self.clients[client_info.client_id] = client_info
        self.secrets += [client_info.client_secret] if client_info.client_secret else []

    async def authorize(self, client: Any, params: Any) -> str:
        from mcp.server.auth.provider import AuthorizationCode, construct_redirect_uri

        there = str(params.redirect_uri)
        if self.deny:
            return construct_redirect_uri(there, error="access_denied", state=params.state)
        code = self._secret("code")
        self.resources.append(params.resource)
        self.codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or ["read"],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=True,
            resource=params.resource,
        )
        return construct_redirect_uri(there, code=code, state=params.state)

    async def load_authorization_code(self, client: Any, authorization_code: str) -> Any:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client: Any, authorization_code: Any) -> Any:
        del self.codes[authorization_code.code]
        return self.grant(client.client_id, authorization_code.scopes, authorization_code.resource, refresh=True)

    async def load_refresh_token(self, client: Any, refresh_token: str) -> Any:
        import asyncio

        self.counts["refresh"] += 1
        found = self.refresh.get(refresh_token)
        if found is None:
            self.counts["refresh_again"] += 1
        await asyncio.sleep(self.slow_s)
        return found

    async def exchange_refresh_token(self, client: Any, refresh_token: Any, scopes: list[str]) -> Any:
        if self.rotate:
            self.refresh.pop(refresh_token.token, None)
        return self.grant(client.client_id, scopes, refresh_token.resource, refresh=self.rotate)

    async def load_access_token(self, token: str) -> Any:
        found = self.access.get(token)
        self.counts["refused"] += found is None or found.expires_at < time.time()
        return found

    async def revoke_token(self, token: Any) -> None: ...

    def grant(self, client_id: str, scopes: list[str], resource: str | None, *, refresh: bool) -> Any:
        from mcp.server.auth.provider import AccessToken, RefreshToken
        from mcp.shared.auth import OAuthToken

        token, again = self._secret("access"), self._secret("refresh") if refresh else None
        given: dict[str, Any] = {"client_id": client_id, "scopes": scopes, "resource": resource}
        self.access[token] = AccessToken(token=token, expires_at=int(time.time() + self.lifetime_s), **given)
        if again:
            self.refresh[again] = RefreshToken(token=again, **given)
        self.counts["granted"] += 1
        return OAuthToken(
            access_token=token, expires_in=int(self.lifetime_s), refresh_token=again, scope=" ".join(scopes)
        )

    def _secret(self, kind: str) -> str:
        secret = f"{kind}-{secrets.token_hex(12)}"
        self.secrets.append(secret)
        return secret


def _app(origin: str, provider: Provider) -> Any:
    from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
    from mcp.server.fastmcp import FastMCP

    scopes = ["read", "write"]
    auth = AuthSettings.model_validate(
        {
            "issuer_url": origin,
            "resource_server_url": f"{origin}/mcp",
            "client_registration_options": ClientRegistrationOptions(
                enabled=True, valid_scopes=scopes, default_scopes=scopes
            ),
            "required_scopes": ["read"],
            "validate_token_resource": True,
        }
    )
    server = FastMCP(
        "guarded", auth=auth, auth_server_provider=provider, stateless_http=True, json_response=True, log_level="ERROR"
    )

    @server.tool()
    def whisper(text: str = "") -> str:
        """Says it back to those who may hear it."""
        return f"whispered: {text}"

    _routes(server, provider)
    return server.streamable_http_app()


def _routes(server: Any, provider: Provider) -> None:
    from starlette.requests import Request
    from starlette.responses import JSONResponse, RedirectResponse, Response

    @server.custom_route("/control", methods=["GET"])
    async def control(request: Request) -> Response:
        asked = request.query_params
        provider.lifetime_s = float(asked.get("lifetime_s", provider.lifetime_s))
        provider.slow_s = float(asked.get("slow_s", provider.slow_s))
        provider.deny = asked.get("deny", str(provider.deny)) == "True"
        provider.rotate = asked.get("rotate", str(provider.rotate)) == "True"
        if "revoke" in asked:
            provider.access.clear()
        if asked.get("revoke") == "all":
            provider.refresh.clear()
        return JSONResponse({})

    @server.custom_route("/seen", methods=["GET"])
    async def seen(request: Request) -> Response:
        return JSONResponse({"counts": provider.counts, "secrets": provider.secrets, "resources": provider.resources})

    @server.custom_route("/machine/token", methods=["POST"])
    async def machine(request: Request) -> Response:
        """`client_credentials`, which the authorization server of `mcp` does not have."""
        import base64

        form = await request.form()
        shown = base64.b64decode(request.headers.get("authorization", "Basic ").removeprefix("Basic ")).decode()
        if form.get("grant_type") != "client_credentials" or shown != ":".join(MACHINE):
            return JSONResponse({"error": "invalid_client", "error_description": shown}, 401)
        return JSONResponse(
            provider.grant(MACHINE[0], ["read"], str(form["resource"]), refresh=False).model_dump(exclude_none=True)
        )

    @server.custom_route("/elsewhere", methods=["GET", "POST"])
    async def elsewhere(request: Request) -> Response:
        return RedirectResponse("http://localhost:1/stolen", 307)


def main(port: str) -> None:
    import uvicorn

    app = _app(f"http://127.0.0.1:{port}", Provider())
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")


if __name__ == "__main__":
    main(sys.argv[1])
