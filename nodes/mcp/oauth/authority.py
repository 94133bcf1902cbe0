"""What authorization servers are asked: where they are, who we are, and for tokens.

The documents and the order in which they are looked for are those of `mcp.client.auth`. Its flow itself is not used:
it holds a lock while a call is answered, forgets where tokens are renewed when the process ends, and drops a refresh
token that is not repeated. Sources: MCP specification 2025-11-25, "Authorization"; RFC 6749, 7591, 7636, 8414, 9728.
"""

import base64
import re
import time
from typing import Any, NoReturn, cast
from urllib.parse import quote, urlencode

import httpx
from mcp.client.auth import OAuthFlowError, OAuthRegistrationError
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    create_client_registration_request,
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
    get_client_metadata_scopes,
    handle_auth_metadata_response,
    handle_protected_resource_response,
    handle_registration_response,
    validate_metadata_issuer,
)
from mcp.shared.auth import OAuthClientMetadata, OAuthMetadata, OAuthToken, ProtectedResourceMetadata
from mcp.shared.auth_utils import check_resource_allowed, resource_url_from_server_url
from pydantic import AnyUrl, ValidationError

from nodes.mcp.oauth.credential import Authority, Client, Credential, OAuth, method_of
from nodes.mcp.oauth.wire import OAuthFailed, Refused, Wire

_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_CODE = re.compile(r"[a-z_]{1,40}")


async def discover(wire: Wire, url: str, oauth: OAuth) -> Authority:
    """The authorization server of the MCP server at `url`. Raises `OAuthFailed`."""
    refusal = await wire.send(httpx.Request("POST", url, content=_PING, headers=_HEADERS))
    resource = await _resource_metadata(wire, refusal, url)
    scope = " ".join(oauth.scopes) or get_client_metadata_scopes(extract_scope_from_www_auth(refusal), resource)
    wanted = oauth.resource or (str(resource.resource) if resource else resource_url_from_server_url(url))
    if oauth.token_url and (oauth.authorization_url or oauth.grant == "client_credentials"):
        page = oauth.authorization_url
        return Authority(token_url=oauth.token_url, authorization_url=page, resource=wanted, scope=scope)
    issuer = str(resource.authorization_servers[0]) if resource else None
    metadata = await _server_metadata(wire, issuer, url)
    _check_challenge(metadata)
    methods = metadata.token_endpoint_auth_methods_supported
    return Authority(
        token_url=oauth.token_url or str(metadata.token_endpoint),
        authorization_url=oauth.authorization_url or str(metadata.authorization_endpoint),
        registration_url=str(metadata.registration_endpoint) if metadata.registration_endpoint else None,
        issuer=str(metadata.issuer),
        resource=wanted,
        scope=scope,
        methods=tuple(methods) if methods is not None else None,
    )


async def register(wire: Wire, authority: Authority, redirect_uri: str) -> Client:
    """Make ourselves known to an authorization server. Raises `OAuthFailed`."""
    if authority.registration_url is None:
        raise OAuthFailed(
            "The authorization server registers no clients by itself. Register one with it, and set `oauth.client_id`."
        )
    asked = OAuthClientMetadata(
        client_name="GraphNexus",
        redirect_uris=[AnyUrl(redirect_uri)],
        token_endpoint_auth_method=method_of(None, authority),
        scope=authority.scope,
    )
    # Only the address is read of it.
    there = {"issuer": authority.token_url, "authorization_endpoint": authority.token_url}
    metadata = OAuthMetadata.model_validate(
        {**there, "token_endpoint": authority.token_url, "registration_endpoint": authority.registration_url}
    )
    try:
        answer = await wire.send(create_client_registration_request(metadata, asked, authority.token_url))
        found = await handle_registration_response(answer)
    except OAuthRegistrationError:
        raise OAuthFailed("The authorization server did not register this client.") from None
    if not found.client_id:
        raise OAuthFailed("The authorization server registered a client without an id.")
    method = found.token_endpoint_auth_method or ("client_secret_basic" if found.client_secret else "none")
    if method == "private_key_jwt":
        raise OAuthFailed("The authorization server registered a client that shows itself by `private_key_jwt`.")
    return Client(id=found.client_id, secret=found.client_secret, method=method, redirect_uri=redirect_uri)


def authorization_page(authority: Authority, client: Client, **fields: str) -> str:
    """The page on which a person says yes."""
    asked = {"response_type": "code", "client_id": client.id, "resource": authority.resource, **fields}
    if authority.scope:
        asked["scope"] = authority.scope
    address = authority.authorization_url or ""  # what `discover` finds has one, and settings give both
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


async def granted(wire: Wire, before: Credential, **fields: str) -> Credential:
    """`before` with new tokens: `fields` say by which grant. Raises `Refused` and `OAuthFailed`."""
    authority, client = before.authority, before.client
    form = {"resource": authority.resource, "client_id": client.id, **fields}
    headers = {"accept": "application/json"}
    if client.method == "client_secret_basic" and client.secret:
        pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif client.secret:
        form["client_secret"] = client.secret
    answer = await wire.send(httpx.Request("POST", authority.token_url, data=form, headers=headers))
    if answer.status_code != 200:
        _refuse(answer)
    try:
        token = OAuthToken.model_validate_json(answer.content)
    except ValidationError:
        raise OAuthFailed("The authorization server's answer holds no bearer token.") from None
    now = time.time()
    new = {
        "access_token": token.access_token,
        "refresh_token": token.refresh_token or before.refresh_token,
        "granted_at": now,
        "expires_at": None if token.expires_in is None else now + token.expires_in,
        "scope": token.scope or before.scope or authority.scope,
    }
    return before.model_copy(update=new)


async def granted_to_client(wire: Wire, url: str, oauth: OAuth) -> Credential:
    """By `client_credentials`, for the MCP server at `url`. Raises `OAuthFailed`."""
    authority = await discover(wire, url, oauth)
    client = oauth.client(authority)
    if client is None:
        raise OAuthFailed("The grant client_credentials needs `client_id`.")
    blank = Credential(server_url=url, authority=authority, client=client)
    scope = {"scope": authority.scope} if authority.scope else {}
    return await granted(wire, blank, grant_type="client_credentials", **scope)


_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


async def _resource_metadata(wire: Wire, refusal: httpx.Response, url: str) -> ProtectedResourceMetadata | None:
    named = extract_resource_metadata_from_www_auth(refusal)
    for place in build_protected_resource_metadata_discovery_urls(named, url):
        answer = await wire.send(httpx.Request("GET", place, headers={"accept": "application/json"}))
        found = await handle_protected_resource_response(answer)
        if answer.is_server_error:  # which says nothing about whether there is any
            raise OAuthFailed(f"The MCP server answers {answer.status_code} when asked for its metadata.")
        if found is None:
            continue
        if not check_resource_allowed(resource_url_from_server_url(url), str(found.resource)):
            raise OAuthFailed("The MCP server's metadata is about another server.")
        return found
    return None


async def _server_metadata(wire: Wire, issuer: str | None, url: str) -> OAuthMetadata:
    for place in build_oauth_authorization_server_metadata_discovery_urls(issuer, url):
        answer = await wire.send(httpx.Request("GET", place, headers={"accept": "application/json"}))
        going, found = await handle_auth_metadata_response(answer)
        if found:
            try:
                validate_metadata_issuer(found, issuer or _origin(url))
            except OAuthFlowError:
                raise OAuthFailed("The authorization server's metadata is about another server.") from None
            return found
        if not going:
            raise OAuthFailed(f"The authorization server answers {answer.status_code} when asked for its metadata.")
    if issuer is None:
        raise OAuthFailed("It is not an OAuth server: it names no authorization server, and is none itself.")
    raise OAuthFailed("The authorization server has no metadata; set `oauth.authorization_url` and `oauth.token_url`.")


def _origin(url: str) -> str:
    return str(httpx.URL(url).join("/"))


def _check_challenge(metadata: OAuthMetadata) -> None:
    methods = metadata.code_challenge_methods_supported
    if methods is not None and "S256" not in methods:
        raise OAuthFailed("The authorization server does not take PKCE with S256.")


def _refuse(answer: httpx.Response) -> NoReturn:
    """Only the code of an error is repeated: its description may be anything."""
    try:
        said: Any = answer.json()
    except ValueError:
        said = None
    code = cast(dict[str, Any], said).get("error") if isinstance(said, dict) else None
    if 400 <= answer.status_code < 500 and isinstance(code, str) and _CODE.fullmatch(code):
        raise Refused(code)
    raise OAuthFailed(f"The authorization server answers {answer.status_code} when asked for a token.")
