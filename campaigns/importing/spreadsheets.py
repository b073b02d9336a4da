"""Excel workbooks (.xlsx). Rows are streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import openpyxl

from .archives import DAMAGED, damaged, no_rows, no_such_sheet
from .cell_texts import as_text
from .sheet_parts import PartFromRow
from .tables import Row, Table, limited


def open_workbook(file: BinaryIO, *, sheet: str = "") -> Table:
    """The named sheet, else the first visible one that is not empty. Raises FileRefused if there is none."""
    try:
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheets = {str(it.title): it for it in workbook.worksheets if it.sheet_state == "visible" or it.title == sheet}
        candidates = sheets.values() if not sheet else filter(None, [sheets.get(sheet)])
        filled = next((candidate for candidate in candidates if any(_rows(candidate))), None)
    except DAMAGED:
        raise damaged() from None
    if filled is None:
        raise no_such_sheet(sheet) if sheet and sheet not in sheets else no_rows()
    return Table(
        lambda: _guarded(limited(_rows(filled))),
        sheet=str(filled.title),
        sheets=tuple(sheets),
        rows_after=lambda number: _guarded(limited(_rows(filled, after=number))),
    )


def _rows(sheet: Any, *, after: int = 0) -> Iterator[Row]:
    """
    Rows that hold anything, numbered as Excel does, beginning with the one after `after`.

    The size a sheet claims to have is often wrong.
    """
    sheet.reset_dimensions()
    sheet._get_source = lambda: _part(sheet, after)
    for number, values in enumerate(sheet.iter_rows(min_row=after + 1, values_only=True), start=after + 1):
        cells = [as_text(value) for value in values]
        if any(cells):
            yield Row(number, cells)


def _part(sheet: Any, after: int) -> Any:
    part = sheet.parent._archive.open(sheet._worksheet_path)
    return PartFromRow(part, after) if after else part


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except DAMAGED:
        raise damaged() from None
