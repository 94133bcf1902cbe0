"""Documents that are ZIP archives: what they say they hold is looked at before anything of it is unpacked."""

from collections.abc import Iterator
from io import BytesIO
from zipfile import BadZipFile, ZipFile

from nodes.documents.parsed import Page, Unreadable

_UNPACKED_BYTES = 256 * 2**20
_MEMBERS = 10_000
_ENCRYPTED = 0x1
_SHEETS = "application/vnd.oasis.opendocument.spreadsheet"


def pages(content: bytes) -> Iterator[Page]:
    names, mime_type = _checked(content)
    if "word/document.xml" in names:
        from nodes.documents.formats import docx as chosen
    elif "ppt/presentation.xml" in names:
        from nodes.documents.formats import pptx as chosen
    elif {"xl/workbook.xml", "xl/workbook.bin"} & names or mime_type == _SHEETS:
        from nodes.documents.formats import sheets as chosen
    else:
        raise Unreadable("is an archive, and not of a document that can be read (docx, pptx, xlsx, ods).")
    yield from chosen.pages(content)


def _checked(content: bytes) -> tuple[set[str], str]:
    """The names of its members, and what it says it is."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            if any(member.flag_bits & _ENCRYPTED for member in members):
                raise Unreadable("is encrypted with a password; send it without one.", "invalid_value", damaged=True)
            if len(members) > _MEMBERS or sum(member.file_size for member in members) > _UNPACKED_BYTES:
                raise Unreadable(
                    f"would unpack to more than {_UNPACKED_BYTES >> 20} MB or {_MEMBERS} members.", damaged=True
                )
            names = {member.filename for member in members}
            mime_type = archive.open("mimetype").read(200).decode("ascii", "replace") if "mimetype" in names else ""
    except (BadZipFile, NotImplementedError, EOFError):
        raise Unreadable("is a damaged archive.", damaged=True) from None
    return names, mime_type.strip()
