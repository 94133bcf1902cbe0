"""PDF, by PDFium."""

from collections.abc import Iterator

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]

from nodes.documents.parsed import Page, Unreadable


def pages(content: bytes) -> Iterator[Page]:
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable(
                "is encrypted with a password; send it without one.", "invalid_value", damaged=True
            ) from None
        raise Unreadable("is no PDF that can be read.", damaged=True) from None
    with document:
        for at in range(len(document)):
            yield Page(f"page {at + 1}", _text(document, at))


def _text(document: pypdfium2.PdfDocument, at: int) -> str:
    """A page that is damaged has no text."""
    try:
        page = document[at]
        text = page.get_textpage().get_text_bounded().replace("\r\n", "\n").strip()
        page.close()  # its text with it: memory is that of one page
        return text
    except pypdfium2.PdfiumError:
        return ""
