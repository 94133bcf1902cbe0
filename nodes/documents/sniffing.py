"""What kind of file it is: its first bytes say so, then its name."""

from nodes.documents.parsed import Document, Unreadable

#: What models take as images. Source: CONTRACT of the Responses API, `input_image`.
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_HTML_NAMES = (".html", ".htm", ".xhtml")
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_HTML_BEGINNINGS = (b"<!doctype html", b"<html")
#: In older containers, which newer documents are put into to be encrypted.
_LOCKED = "EncryptedPackage".encode("utf-16-le")
#: Where a PDF has to begin.
_PDF_WITHIN = 1024


def image_type(content: bytes) -> str | None:
    """`image/png`, `image/jpeg`, `image/gif` or `image/webp`; None of anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES.items() if content.startswith(magic)), None)


def format_of(document: Document) -> str:
    """The module of `formats` that reads it, or `text`. Raises `Unreadable` for what is known not to be readable."""
    content = document.content
    if image_type(content):
        raise Unreadable("is an image; send it as an 'input_image'.")
    if content.startswith(b"PK\x03\x04"):
        return "zipped"
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if _LOCKED in content:
            raise Unreadable("is encrypted with a password; send it without one.", "invalid_value", damaged=True)
        return "sheets"  # of what is in this kind of container, only xls can be read
    if b"%PDF-" in content[:_PDF_WITHIN]:
        return "pdf"
    if content.startswith(b"{\\rtf"):
        raise Unreadable("is rich text, which cannot be read; send it as docx, PDF or plain text.")
    return "html" if _is_html(document) else "text"


def _is_html(document: Document) -> bool:
    begins = document.content[:_PDF_WITHIN].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    media_type = document.media_type.partition(";")[0].strip().lower()
    named = document.filename.lower().endswith(_HTML_NAMES) or media_type in _HTML_TYPES
    return named or begins.startswith(_HTML_BEGINNINGS)
