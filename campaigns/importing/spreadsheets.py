"""Excel workbooks (.xlsx). Rows are streamed, and archives that unpack to far more than they are get refused."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from zlib import error as ZlibError

import openpyxl
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from . import limits
from .errors import FileRefused
from .tables import Row, Table, limited

#: What a damaged workbook makes openpyxl, and what is below it, raise.
_DAMAGED = (
    zipfile.BadZipFile,
    ZlibError,
    ParseError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)


def open_workbook(file: BinaryIO) -> Table:
    """The first visible sheet that is not empty. Raises FileRefused for other archives and for zip bombs."""
    _check_archive(file)
    file.seek(0)
    try:
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        filled = next((sheet for sheet in sheets if any(_rows(sheet))), None)
    except _DAMAGED:
        raise _damaged() from None
    if filled is None:
        raise FileRefused(_("The file is empty: no sheet has anything in it."))
    sheet = filled
    return Table(lambda: _guarded(limited(_rows(sheet))), sheet=str(sheet.title))


def _check_archive(file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        raise _damaged() from None
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        raise FileRefused(_("This archive is not an Excel workbook. Choose a CSV file or an Excel workbook (.xlsx)."))
    # zipfile never unpacks more of a part than it announces, so the announced sizes can be relied on.
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts) or 1
    too_dense = unpacked > limits.MIN_SUSPICIOUS_BYTES and unpacked / packed > limits.MAX_UNPACKED_RATIO
    if unpacked > limits.MAX_UNPACKED_BYTES or too_dense:
        raise FileRefused(
            _("Unpacked, this workbook would take %(size)s. Save the sheet with the contacts alone, best as CSV.")
            % {"size": filesizeformat(unpacked)}
        )


def _rows(sheet: Any) -> Iterator[Row]:
    """Rows that hold anything, numbered as Excel does. The size a sheet claims to have is often wrong."""
    sheet.reset_dimensions()
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_as_text(value) for value in values]
        if any(cells):
            yield Row(number, cells)


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except _DAMAGED:
        raise _damaged() from None


def _damaged() -> FileRefused:
    return FileRefused(_("This workbook is damaged. Open it in Excel, save it anew as .xlsx or CSV and upload that."))


def _as_text(value: Any) -> str:
    """What the cell shows. Excel keeps every number as a fraction; a phone number must not become 79121234567.0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value).replace("\0", "").strip()
