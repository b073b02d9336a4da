"""Workbooks of old Excel versions (.xls), by xlrd: at most 65,536 rows of 256 columns to a sheet."""

from __future__ import annotations

from collections.abc import Iterator
from struct import error as StructError
from typing import Any, BinaryIO

import xlrd
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from . import limits
from .archives import DAMAGED, damaged, no_rows, no_such_sheet, protected
from .cell_texts import as_text
from .errors import FileRefused
from .tables import Row, Table, limited

_DAMAGED = (*DAMAGED, xlrd.XLRDError, xlrd.compdoc.CompDocError, StructError, AssertionError, UnicodeError)
#: The stream that holds everything where Excel's newer format was encrypted, in UTF-16.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_VISIBLE = 0


def open_old_workbook(file: BinaryIO, *, sheet: str = "") -> Table:
    """The named sheet, else the first visible one that is not empty. Raises FileRefused if there is none."""
    size = file.seek(0, 2)
    if size > limits.MAX_OLD_EXCEL_BYTES:
        raise FileRefused(
            _("This old Excel file (.xls) is too large: %(size)s. Save it as an Excel workbook (.xlsx) or as CSV.")
            % {"size": filesizeformat(size)}
        )
    file.seek(0)
    content = file.read()
    if _ENCRYPTED in content:
        raise protected()
    try:
        # Sheets are read when asked for, and rows are only as long as they are filled.
        book = xlrd.open_workbook(file_contents=content, on_demand=True, ragged_rows=True, logfile=_Nowhere())
        names = [name for name, state in zip(book.sheet_names(), _states(book), strict=True) if state == _VISIBLE]
        names += [sheet] if sheet in book.sheet_names() and sheet not in names else []
        if sheet and sheet not in names:
            raise no_such_sheet(sheet)
        candidates = [sheet] if sheet else names
        filled = next((it for name in candidates if any(_rows(book, it := book.sheet_by_name(name)))), None)
    except _DAMAGED as error:
        raise _refusal(error) from None
    if filled is None:
        raise no_rows()
    return Table(lambda: _guarded(limited(_rows(book, filled))), sheet=filled.name, sheets=tuple(names))


class _Nowhere:
    """xlrd prints what surprises it."""

    def write(self, text: str) -> None:
        pass


def _states(book: xlrd.Book) -> list[int]:
    return list(book._sheet_visibility)


def _rows(book: xlrd.Book, sheet: Any) -> Iterator[Row]:
    for index in range(sheet.nrows):
        kinds, values = sheet.row_types(index), sheet.row_values(index)
        cells = [_text(book, kind, value) for kind, value in zip(kinds, values, strict=True)]
        if any(cells):
            yield Row(index + 1, cells)


def _text(book: xlrd.Book, kind: int, value: Any) -> str:
    if kind in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return ""
    if kind == xlrd.XL_CELL_BOOLEAN:
        return as_text(bool(value))
    if kind == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(value, "#?"))
    if kind == xlrd.XL_CELL_DATE:
        return _date_text(book, value)
    return as_text(value)


def _date_text(book: xlrd.Book, value: float) -> str:
    try:
        return as_text(xlrd.xldate_as_datetime(value, book.datemode))
    except (xlrd.XLDateError, ValueError, OverflowError):
        return as_text(value)


def _refusal(error: Exception) -> FileRefused:
    return protected() if "encrypted" in str(error).lower() else damaged()


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except _DAMAGED as error:
        raise _refusal(error) from None
