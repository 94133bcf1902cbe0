"""What tests of approvals say and ask."""

from typing import Any

import httpx2

from tests import mcp_servers

Json = dict[str, Any]


def answer(request: Any, approve: bool = True, **fields: Any) -> Json:
    """An answer in a response's input; `request` is the item that asks, or its id."""
    id = request if isinstance(request, str) else request.id
    return {"type": "mcp_approval_response", "approval_request_id": id, "approve": approve, **fields}


def types(response: Any) -> list[str]:
    return [item.type for item in response.output]


def requests_of(response: Any) -> list[str]:
    """Ids of what a response asks for."""
    return [item.id for item in response.output if item.type == "mcp_approval_request"]


def guarded(server: mcp_servers.Server, **fields: Any) -> Any:
    return server.tool(require_approval="always", **fields)


def decide(http: httpx2.Client, id: str, approve: bool = True, **fields: Any) -> Json:
    decided = http.post(f"/approvals/{id}", json={"approve": approve, **fields})
    assert decided.status_code == 200, decided.text
    return decided.json()


def listed(http: httpx2.Client, **query: Any) -> Json:
    found = http.get("/approvals", params=query)
    assert found.status_code == 200, found.text
    return found.json()


def ids(page: Json) -> list[str]:
    return [approval["id"] for approval in page["data"]]
