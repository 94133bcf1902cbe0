"""What hosted tools are told of the server they run in, beside their settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the tools they belong to import this module
    from nodes.browser.face import Face
    from nodes.container.containers import Containers
    from nodes.documents.parser import Documents
    from nodes.file_search.port import Stores
    from nodes.file_search.search import Search
    from nodes.mcp.embedded import Embedded
    from nodes.mcp.oauth.credential import Vault


@dataclass(frozen=True, slots=True)
class Premises:
    #: Only this machine can reach the server, and without a key.
    alone: bool
    #: Where what the operator was granted elsewhere is kept.
    vault: "Vault"
    #: Where code runs.
    containers: "Containers"
    #: Searches of files, and the stores they are in.
    search: "Search"
    stores: "Stores"
    #: The browser of conversations.
    browser: "Face"
    #: Servers of tools within this process, by the connector id requests name them by.
    embedded: Mapping[str, "Embedded"]
    #: What reads documents, for everybody who wants one read.
    documents: "Documents"
    #: Where the processes of this machine may keep files.
    directory: Path
