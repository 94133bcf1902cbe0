"""How files and images of requests are found and read, by the settings."""

from graph.attachments import Attachments
from graph.files import Files
from nodes.documents.parser import Confines, Documents
from nodes.documents.resolver import LongFiles, Resolver, Telling
from nodes.documents.sources import Sources
from nodes.fetching import Extent, Fetcher
from nodes.reach import Reach
from server.settings import Settings


def documents_of(settings: Settings) -> Documents:
    """What reads documents, for everybody who wants one read."""
    return Documents(Confines(settings.document_timeout_s, settings.document_memory_bytes))


def attachments_of(settings: Settings, files: Files, documents: Documents, long: LongFiles, alone: bool) -> Attachments:
    """`alone`: only this machine can reach the server, and without a key."""
    private = settings.fetch_allow_private
    reach = Reach(alone and private is None, bool(private), settings.fetch_allowed_hosts)
    fetcher = Fetcher(reach, Extent(settings.input_bytes, settings.fetch_timeout_s))
    telling = Telling(
        files=settings.input_files,
        image_urls=settings.image_urls,
        limit_bytes=settings.input_bytes,
        search_chars=settings.input_search_chars,
        file_chars=settings.input_file_chars,
        limit_chars=settings.input_chars,
    )
    return Resolver(Sources(files, fetcher), documents, telling, long)
