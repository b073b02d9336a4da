"""The bad rows as a file that can be mended and uploaded again."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator

from django.utils import formats
from django.utils.translation import gettext as _

from campaigns.models import ContactImport, RowKind
from campaigns.resources import without_formula

from .columns import error_headers

BYTE_ORDER_MARK = "\ufeff"  # or Excel takes UTF-8 for the local encoding


def bad_rows_csv(contact_import: ContactImport) -> Iterator[str]:
    """
    Lines of a CSV file (UTF-8 with byte order mark, the delimiter of the uploaded file): the cells as they were, behind
    them row number, column and reason. Formulas are neutralised.
    """
    headers: list[str] = contact_import.columns.get("headers") or []
    rows = contact_import.rows.filter(kind=RowKind.BAD).order_by("number")
    width = max([len(headers), *(len(cells) for cells in rows.values_list("cells", flat=True).iterator())])
    delimiter = contact_import.delimiter or _list_separator()
    # Translated now: a streamed response is read when the language of its request may be gone.
    first_line = _line([*_padded(headers or [_("phone")], width), *error_headers()], delimiter)
    lines = (
        _line([*_padded(row.cells, width), str(row.number), row.column, row.reason], delimiter)
        for row in rows.iterator(chunk_size=1000)
    )
    return itertools.chain([BYTE_ORDER_MARK, first_line], lines)


def _list_separator() -> str:
    """What spreadsheets of this language expect in a CSV file: the comma, where it is not the decimal sign."""
    return ";" if formats.get_format("DECIMAL_SEPARATOR") == "," else ","


def _padded(cells: list[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]


def _line(cells: list[str], delimiter: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow([without_formula(cell) for cell in cells])
    return line.getvalue()
