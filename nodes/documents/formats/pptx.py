"""Presentations: the text of every slide, and its notes."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pptx import Presentation

from nodes.documents.parsed import Page


def pages(content: bytes) -> Iterator[Page]:
    for number, slide in enumerate(Presentation(BytesIO(content)).slides, 1):
        lines = list(_lines(slide.shapes))
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) and frame.text:
            lines.append(f"Notes: {frame.text}")
        yield Page(f"slide {number}", "\n".join(lines))


def _lines(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _lines(shape.shapes)
        elif shape.has_text_frame and shape.text_frame.text.strip():
            yield shape.text_frame.text.strip()
        elif shape.has_table:
            for row in shape.table.rows:
                yield " | ".join(cell.text_frame.text for cell in row.cells)
