"""What hosted tools are told of the server they run in, beside their settings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the tools they belong to import this module
    from nodes.browser.port import Browsers, Keeps
    from nodes.container.containers import Containers
    from nodes.documents.parser import Documents
    from nodes.file_search.port import Stores
    from nodes.file_search.search import Search
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
    #: Browsers of conversations, and where what they bring home is kept.
    browsers: "Browsers"
    keeps: "Keeps"
    #: What reads documents, for everybody who wants one read.
    documents: "Documents"
