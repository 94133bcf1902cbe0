"""An MCP server of one tool that answers at once: `python -m evals.bench.tools PORT`."""

import sys
from typing import Any

import orjson
import uvloop

from evals.bench.answering import Answering, listen

_TOOL = {
    "name": "look",
    "description": "Looks at the harbour.",
    "inputSchema": {"type": "object", "properties": {"step": {"type": "integer"}}},
    "annotations": {"readOnlyHint": True},
}
_ME = {"name": "harbour", "version": "1"}


class Tools(Answering):
    """Streamable HTTP without sessions; `GET /health` tells that it is there."""

    def answer(self, method: bytes, body: bytes) -> None:
        if method != b"POST":
            self.nothing(b"200 OK" if method == b"GET" else b"204 No Content")
            return
        asked = orjson.loads(body)
        if "id" not in asked:
            self.nothing(b"202 Accepted")
            return
        self.reply({"jsonrpc": "2.0", "id": asked["id"], "result": _result(asked)})


def _result(asked: dict[str, Any]) -> dict[str, Any]:
    match asked["method"]:
        case "initialize":
            version = asked["params"]["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": _ME}
        case "tools/list":
            return {"tools": [_TOOL]}
        case "tools/call":
            return {"content": [{"type": "text", "text": "Two ships, one of them leaving."}], "isError": False}
        case _:
            return {}


if __name__ == "__main__":
    uvloop.run(listen(Tools, int(sys.argv[1])))
