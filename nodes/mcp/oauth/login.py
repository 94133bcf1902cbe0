"""The way through a server's authorization that needs a person, from the page they are shown to what is kept."""

import secrets
from collections.abc import Mapping
from typing import Protocol

from mcp.client.auth import PKCEParameters

from nodes.mcp.oauth.authority import authorization_page, discover, granted, granted_to_client, register
from nodes.mcp.oauth.credential import Authority, Credential, Vault
from nodes.mcp.oauth.grants import Entrance
from nodes.mcp.oauth.wire import OAuthFailed, Wire


class Desk(Protocol):
    """Where a person is asked."""

    @property
    def redirect_uri(self) -> str: ...

    async def ask(self, page: str) -> Mapping[str, str]:
        """What the authorization server sends back with the person. Raises `OAuthFailed` when nobody comes."""
        ...


async def login(entrance: Entrance, vault: Vault, wire: Wire, desk: Desk) -> Credential:
    """Gives what it kept. Raises `OAuthFailed`."""
    if entrance.oauth.grant == "client_credentials":
        credential = await granted_to_client(wire, entrance.url, entrance.oauth)
    else:
        credential = await _granted_to_person(entrance, wire, desk)
    await vault.put(entrance.label, credential)
    return credential


async def _granted_to_person(entrance: Entrance, wire: Wire, desk: Desk) -> Credential:
    authority = await discover(wire, entrance.url, entrance.oauth)
    there = desk.redirect_uri
    client = entrance.oauth.client(authority) or await register(wire, authority, there)
    proof, state = PKCEParameters.generate(), secrets.token_urlsafe(32)
    challenge = {"code_challenge": proof.code_challenge, "code_challenge_method": "S256"}
    page = authorization_page(authority, client, redirect_uri=there, state=state, **challenge)
    code = _code(await desk.ask(page), state, authority)
    blank = Credential(server_url=entrance.url, authority=authority, client=client)
    asked = {"code": code, "redirect_uri": there, "code_verifier": proof.code_verifier}
    return await granted(wire, blank, grant_type="authorization_code", **asked)


def _code(answer: Mapping[str, str], state: str, authority: Authority) -> str:
    """Of an answer to our question, from the server that was asked. Source: RFC 6749, 4.1.2; RFC 9207."""
    if not secrets.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise OAuthFailed("The answer came with a wrong state: it belongs to another login. Nothing was kept.")
    issuer = answer.get("iss")
    if issuer is not None and authority.issuer is not None and issuer.rstrip("/") != authority.issuer.rstrip("/"):
        raise OAuthFailed("The answer came from another authorization server. Nothing was kept.")
    if error := answer.get("error"):
        denied = error == "access_denied"
        raise OAuthFailed("The login was denied." if denied else f"The authorization server refuses: {error[:40]!r}.")
    if not answer.get("code"):
        raise OAuthFailed("The answer came without a code.")
    return answer["code"]
