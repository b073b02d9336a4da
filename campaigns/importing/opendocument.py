"""
Workbooks of LibreOffice and others (.ods). Their one part is read as a stream.

OpenDocument 1.3, part 3, section 9 (tables): https://docs.oasis-open.org/office/OpenDocument/v1.3/
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, iterparse

from . import limits
from .archives import DAMAGED, OPEN_DOCUMENT_PART, damaged, no_rows, no_such_sheet
from .cell_texts import as_text
from .tables import Row, Table, limited, tidied

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_PROLOGUE_BYTES = 4096
#: What may hold rows.
_CONTAINERS = {f"{_TABLE}{name}" for name in ("table", "table-header-rows", "table-rows", "table-row-group")}
_CELLS = {f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"}
_WHITE_SPACE = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}


def open_open_document(file: BinaryIO, *, sheet: str = "") -> Table:
    """The named sheet, else the first visible one that is not empty. Raises FileRefused if there is none."""
    try:
        found = _filled_sheets(file)
    except DAMAGED:
        raise damaged() from None
    if sheet and sheet not in found:
        raise no_such_sheet(sheet)
    name = sheet or next((name for name, is_filled in found.items() if is_filled), "")
    if not found.get(name):
        raise no_rows()
    return Table(lambda: _guarded(limited(_rows(file, name))), sheet=name, sheets=tuple(found))


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except DAMAGED:
        raise damaged() from None


def _filled_sheets(file: BinaryIO) -> dict[str, bool]:
    """The names of the visible sheets, and whether anything is in them."""
    found: dict[str, bool] = {}
    for name, row in _all_rows(file):
        found[name] = found.get(name, False) or row is not None
    return found


def _rows(file: BinaryIO, sheet: str) -> Iterator[Row]:
    was_there = False
    for name, row in _all_rows(file):
        if name == sheet and row is not None:
            was_there = True
            yield row
        elif was_there and name != sheet:
            return


def _all_rows(file: BinaryIO) -> Iterator[tuple[str, Row | None]]:
    """Each visible sheet's name with None, then with each row that holds anything."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        with archive.open(OPEN_DOCUMENT_PART) as part:
            if b"<!" in part.read(_PROLOGUE_BYTES).replace(b"<!--", b""):
                raise ValueError("no workbook declares a document type, which is where entities that explode come from")
        with archive.open(OPEN_DOCUMENT_PART) as part:
            sheets = _Sheets()
            for event, element in iterparse(part, events=("start", "end")):  # noqa: S314
                yield from sheets.begun(element) if event == "start" else sheets.ended(element)


class _Sheets:
    """Follows the elements of the document as they begin and end, and keeps none of them."""

    def __init__(self) -> None:
        self.hidden_styles: set[str] = set()
        self.style = self.name = ""
        self.number = self.depth = 0
        self.is_shown = True
        self.containers: list[Element] = []

    def begun(self, element: Element) -> Iterator[tuple[str, Row | None]]:
        if element.tag in _CONTAINERS:
            self.containers.append(element)
        if element.tag == f"{_STYLE}style":
            self.style = element.get(f"{_STYLE}name", "")
        elif element.tag == f"{_TABLE}table":
            self.depth += 1
            if self.depth == 1:  # a table inside a cell is no sheet
                self.name, self.number = element.get(f"{_TABLE}name", ""), 0
                self.is_shown = element.get(f"{_TABLE}style-name") not in self.hidden_styles
                if self.is_shown:
                    yield self.name, None

    def ended(self, element: Element) -> Iterator[tuple[str, Row | None]]:
        if element.tag == f"{_STYLE}table-properties" and element.get(f"{_TABLE}display") == "false":
            self.hidden_styles.add(self.style)
        elif element.tag in _CONTAINERS:
            self.containers.pop()
            self.depth -= element.tag == f"{_TABLE}table"
        elif element.tag == f"{_TABLE}table-row" and self.depth == 1:
            repeated = _repeated(element, "rows")
            cells = _cells(element) if self.is_shown else []
            if cells:
                yield from ((self.name, Row(self.number + n, list(cells))) for n in range(1, repeated + 1))
            self.number += repeated
            self.containers[-1].clear()  # or a million empty rows would stay in memory


def _repeated(element: Element, what: str) -> int:
    return max(int(element.get(f"{_TABLE}number-{what}-repeated") or 1), 1)


def _cells(row: Element) -> list[str]:
    """The texts up to the last filled cell; never more than one column too many, whatever is said to be repeated."""
    cells: list[str] = []
    blank = 0
    for cell in row:
        if cell.tag not in _CELLS:
            continue
        text, repeated = _cell_text(cell), _repeated(cell, "columns")
        if not text:
            blank += repeated
            continue
        room = limits.MAX_COLUMNS + 1 - len(cells)
        cells += [""] * min(blank, room)
        cells += [text] * min(repeated, max(room - blank, 0))
        blank = 0
        if len(cells) > limits.MAX_COLUMNS:
            break
    return cells


def _cell_text(cell: Element) -> str:
    kind = cell.get(f"{_OFFICE}value-type")
    if kind in ("float", "currency", "percentage"):
        return as_text(float(cell.get(f"{_OFFICE}value", "")))
    if kind == "date":
        return cell.get(f"{_OFFICE}date-value", "").removesuffix("T00:00:00")
    if kind == "boolean":
        return as_text(cell.get(f"{_OFFICE}boolean-value") == "true")
    return tidied("\n".join("".join(_pieces(paragraph)) for paragraph in cell if paragraph.tag == f"{_TEXT}p"))


def _pieces(element: Element) -> Iterator[str]:
    """The text with what stands for white space in it; remarks at the edge are not part of it."""
    if element.tag == f"{_OFFICE}annotation":
        return
    if element.tag == f"{_TEXT}s":
        yield " " * min(int(element.get(f"{_TEXT}c") or 1), limits.MAX_LINE_CHARACTERS)
    yield _WHITE_SPACE.get(element.tag, "")
    yield element.text or ""
    for child in element:
        yield from _pieces(child)
        yield child.tail or ""
