"""Word documents. The tree is walked as it stands: a table that claims a thousand million columns costs nothing."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, cast

from docx import Document
from docx.oxml.ns import qn

from nodes.documents.parsed import Page

_P, _ROW, _CELL, _TEXT = qn("w:p"), qn("w:tr"), qn("w:tc"), qn("w:t")
_BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n"}
_STYLE = f"{qn('w:pPr')}/{qn('w:pStyle')}"
#: The same once more, for older programs.
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def pages(content: bytes) -> Iterator[Page]:
    body = cast(Any, Document(BytesIO(content))).element.body  # lxml says nothing of its types
    for again in list(body.iter(_FALLBACK)):
        again.getparent().remove(again)
    yield Page("", "\n".join(line for element in body.iter(_P, _ROW) if (line := _line(element))))


def _line(element: Any) -> str:
    """A paragraph, or a row of a table; what stands inside one is said with it."""
    if next(element.iterancestors(_P, _ROW), None) is not None:
        return ""
    if element.tag == _ROW:
        return " | ".join(" ".join(map(_said, cell.iter(_P))).strip() for cell in element.iterchildren(_CELL))
    return _heading(element) + _said(element).strip()


def _said(paragraph: Any) -> str:
    parts = paragraph.iter(_TEXT, *_BREAKS)
    return "".join((part.text or "") if part.tag == _TEXT else _BREAKS[part.tag] for part in parts)


def _heading(paragraph: Any) -> str:
    """`## ` before a heading of the second level."""
    style = paragraph.find(_STYLE)
    name = "" if style is None else str(style.get(qn("w:val")))
    level = name.removeprefix("Heading")
    return "#" * int(level) + " " if level != name and level in "123456" and level else ""
