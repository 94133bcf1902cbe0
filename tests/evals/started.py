"""`python -m tests.evals.started COMMAND …`: a run that has started an MCP server, and does no more."""

import asyncio
import sys

from evals.solving.mcp_servers import McpServers
from evals.suite.schema import McpServer


async def main(command: list[str]) -> None:
    async with McpServers.opened() as servers:
        print((await servers.tool(McpServer(label="x", command=command)))["server_url"], flush=True)
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
