"""Documents made by code: plain ones of every kind, and such as do harm to who reads them."""

import struct
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import pptx

TRAVELLED = "The swallow flies 24 miles an hour."
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


class Hostile(NamedTuple):
    name: str
    content: bytes
    #: What the caller is told has to hold this.
    said: str


# ---------------------------------------------------------------- plain


def pdf(*pages: str, encrypted: bool = False) -> bytes:
    """A PDF with a line of text on each page; `encrypted` under a password nobody knows."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, text in enumerate(pages):
        drawn = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode() if text else b""
        page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
        objects.append(f"{page}/Contents {5 + 2 * at} 0 R >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
    locked = ""
    if encrypted:
        wrong = b"\1" * 32
        lock = b"<< /Filter /Standard /V 1 /R 2 /P -1 /O <%s> /U <%s> >>" % (_PAD.hex().encode(), wrong.hex().encode())
        objects.append(lock)
        locked = f"/Encrypt {len(objects)} 0 R /ID [<00> <00>] "
    return _pdf_of(objects, locked)


def _pdf_of(objects: Iterable[bytes], trailer: str = "") -> bytes:
    written, places = b"%PDF-1.4\n", list[int]()
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(places) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R {trailer}>>\n"
    return written + f"{tail}startxref\n{len(written)}\n%%EOF\n".encode()


def word(text: str) -> bytes:
    document, written = docx.Document(), BytesIO()
    document.add_heading("Birds", 2)
    document.add_paragraph(text)
    row = document.add_table(1, 2).rows[0]
    row.cells[0].text, row.cells[1].text = "left", "right"
    document.save(written)
    return written.getvalue()


def slides(text: str) -> bytes:
    presentation, written = pptx.Presentation(), BytesIO()
    slide = presentation.slides.add_slide(presentation.slide_layouts[0])
    slide.shapes.title.text = text  # type: ignore[union-attr]
    slide.notes_slide.notes_text_frame.text = "said aloud"  # type: ignore[union-attr]
    presentation.save(written)
    return written.getvalue()


def workbook(*rows: Iterable[str | float], sheet: str = "") -> bytes:
    """An xlsx of one sheet, `Prices`; or with the XML of a sheet of one's own."""
    cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
            f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
            f'ContentType="{kind}.worksheet+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{_R}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{_R}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook {_S} xmlns:r="{_R}"><sheets><sheet name="Prices" sheetId="1" r:id="r1"/>'
            "</sheets></workbook>",
            "xl/worksheets/sheet1.xml": sheet or f"<worksheet {_S}><sheetData>{cells}</sheetData></worksheet>",
        }
    )


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def open_sheet(*cells: str) -> bytes:
    """An ods of one row."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    row = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in cells
    )
    table = f'<table:table table:name="Prices"><table:table-row>{row}</table:table-row></table:table>'
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    of = 'xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    return zipped(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": f'<m:manifest {of}><m:file-entry m:full-path="/" m:media-type="{kind}"/>'
            "</m:manifest>",
            "content.xml": f"<office:document-content {spaces}>{body}</office:document-content>",
        }
    )


def zipped(members: dict[str, str | bytes]) -> bytes:
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def png(width: int = 1, height: int = 1) -> bytes:
    """A red picture."""
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (head, rows, b"")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# ---------------------------------------------------------------- hostile


def hostile() -> list[Hostile]:
    return [
        Hostile("deep.pdf", _nested_pdf(), "no PDF"),
        Hostile("swelling.pdf", _swelling_pdf(), "damaged"),
        Hostile("damaged.pdf", b"%PDF-1.7\n" + b"\0" * 2000, "no PDF"),
        Hostile("locked.pdf", pdf("secret", encrypted=True), "password"),
        Hostile("scan.pdf", pdf("", ""), "no text"),
        Hostile("wide.xlsx", _wide_workbook(), "memory"),
        Hostile("bomb.xlsx", _saying(300 * 2**20, workbook(["a"])), "unpack"),
        Hostile("lying.docx", _saying(10, word("x" * 2**20)), "damaged"),
        Hostile("many.docx", zipped({f"word/{at}": "" for at in range(10_001)}), "members"),
        Hostile("deep.docx", _deep_word(), "damaged"),
        Hostile("laughs.docx", _word_of(_laughs()), "read"),
        Hostile("slow.html", b"<b>" * 400_000, "read"),
        Hostile("archive.zip", zipped({"a.txt": "hello"}), "archive"),
        Hostile("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4096, "spreadsheet"),
        Hostile("program.exe", b"MZ" + bytes(range(256)) * 8, "type"),
    ]


def merged_word() -> bytes:
    """A table whose one cell claims to be two thousand million columns wide: libraries write them all out."""
    cell = f"<w:tc><w:tcPr><w:gridSpan w:val='2000000000'/></w:tcPr><w:p><w:r><w:t>{TRAVELLED}</w:t></w:r></w:p></w:tc>"
    return _word_of(f"<w:document {_W}><w:body><w:tbl><w:tr>{cell}</w:tr></w:tbl></w:body></w:document>")


def _word_of(xml: str) -> bytes:
    written = BytesIO(word("x"))
    with ZipFile(written) as archive:
        members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**members, "word/document.xml": xml})


def _nested_pdf() -> bytes:
    """Arrays in arrays, deeper than a stack."""
    depth = 200_000
    return _pdf_of([b"<< /Type /Catalog /Pages 2 0 R /X " + b"[" * depth + b"]" * depth + b" >>"])


def _swelling_pdf() -> bytes:
    """4 kB of which one stream swells, in three steps, to more memory than there is."""
    swell = zlib.compressobj(9)
    once = b"".join(swell.compress(bytes(2**20)) for _ in range(300)) + swell.flush()
    drawn = zlib.compress(zlib.compress(once, 9), 9)
    stream = b"<< /Length %d /Filter [%s] >>\nstream\n%s\nendstream"
    return _pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
            stream % (len(drawn), b"/FlateDecode " * 3, drawn),
        ]
    )


def _wide_workbook() -> bytes:
    """Two cells, in opposite corners of the largest sheet there is."""
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return workbook(sheet=f"<worksheet {_S}><sheetData>{cells}</sheetData></worksheet>")


def _deep_word() -> bytes:
    depth = 200_000
    inner = "<w:sdt>" * depth + "</w:sdt>" * depth
    return _word_of(f"<w:document {_W}><w:body>{inner}</w:body></w:document>")


def _laughs() -> str:
    entities = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10 if at else "ha"}">' for at in range(10))
    said = "<w:body><w:p><w:r><w:t>&e9;</w:t></w:r></w:p></w:body>"
    return f"<!DOCTYPE d [{entities}]><w:document {_W}>{said}</w:document>"


def _saying(size_bytes: int, archive: bytes) -> bytes:
    """The archive says of its first member that it is so long."""
    at = archive.index(b"PK\x01\x02") + 24
    return archive[:at] + struct.pack("<I", size_bytes) + archive[at + 4 :]
