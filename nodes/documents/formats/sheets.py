"""Spreadsheets (xlsx, xlsb, xls, ods), by calamine: every sheet as CSV, without rows that are empty."""

import csv
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from nodes.documents.parsed import Page, Unreadable


def pages(content: bytes) -> Iterator[Page]:
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(content))
    except PasswordError:
        raise Unreadable("is encrypted with a password; send it without one.", "invalid_value", damaged=True) from None
    except CalamineError:
        raise Unreadable("is no spreadsheet that can be read; of older Office documents only these are.") from None
    for name in workbook.sheet_names:
        yield Page(f"sheet {name}", _csv(workbook, name))


def _csv(workbook: CalamineWorkbook, name: str) -> str:
    """A sheet that cannot be read, such as one that is a chart, has no cells."""
    try:
        rows = workbook.get_sheet_by_name(name).iter_rows()
    except CalamineError:
        return ""
    written = StringIO()
    writer = csv.writer(written, lineterminator="\n")
    for row in rows:
        cells = [_shown(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            writer.writerow(cells)
    return written.getvalue().strip()


def _shown(cell: Any) -> str:
    """A whole number without the `.0` that every number of a sheet has."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
