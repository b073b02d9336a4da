"""A small workbook of tables. What a spreadsheet would run as a formula is text in it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from .resources import without_formula

_NOT_IN_A_TITLE = re.compile(r"[\\/*?:\[\]]")
_LONGEST_TITLE = 31
_LONGEST_CELL = 32_767
_WIDTH = 24


@dataclass(frozen=True)
class Sheet:
    """A table with a title and a head. Cells are texts, numbers, times or None."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The XLSX file."""
    book = Workbook(write_only=True)
    for sheet in sheets:
        page = book.create_sheet(_NOT_IN_A_TITLE.sub(" ", sheet.title)[:_LONGEST_TITLE])
        for index in range(len(sheet.header)):
            page.column_dimensions[chr(ord("A") + index)].width = _WIDTH
        page.freeze_panes = "A2"
        page.append([_head(page, cell) for cell in sheet.header])
        for row in sheet.rows:
            page.append([_cell(page, value) for value in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _head(page: Any, text: str) -> Any:
    cell = _cell(page, text)
    cell.font = Font(bold=True)
    return cell


def _cell(page: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return WriteOnlyCell(page, value)
    # As text whatever it looks like: openpyxl makes a formula of everything that begins with "=".
    cell: Any = WriteOnlyCell(page, without_formula(ILLEGAL_CHARACTERS_RE.sub("", value))[:_LONGEST_CELL])
    cell.data_type = "s"
    return cell
