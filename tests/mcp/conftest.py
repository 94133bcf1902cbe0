"""The MCP servers that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests import mcp_servers


@pytest.fixture(scope="session")
def fast() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("fast") as server:
        yield server


@pytest.fixture(scope="session")
def slow() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("slow") as server:
        yield server


@pytest.fixture(scope="session")
def failing() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("failing") as server:
        yield server


@pytest.fixture(scope="session")
def asking() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("asking") as server:
        yield server
