"""
CSV and XLSX files that are written in sets, and go on after a crash from the last set that was committed.

Both are written by hand, as plain text that grows at its end: a library's writer keeps its state in the process, and a
worker that is killed would have to begin again. What a spreadsheet would run as a formula is text in both.
"""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol
from xml.sax.saxutils import escape

from django.core.files.storage import default_storage
from django.utils import formats
from django.utils.translation import gettext as _

from campaigns.resources import without_formula

Cell = str | int | float
#: What Excel can hold, the header included, and in one cell.
MOST_XLSX_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
_BYTE_ORDER_MARK = "\ufeff"  # or Excel takes UTF-8 for the local encoding
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_COPIED_AT_ONCE = 1 << 20
_PACKING = ".packing"


class Format(Protocol):
    """How rows become a file. `suffix` is that of the finished file."""

    suffix: str

    def start(self, header: Sequence[Cell]) -> str:
        """What the file begins with."""

    def lines(self, rows: Iterable[Sequence[Cell]]) -> str:
        """Rows as they are appended."""

    def finish(self, path: Path, size: int) -> None:
        """Make the finished file of its first `size` bytes, in its place. It may be finished already."""


class CsvFormat:
    """UTF-8 with byte order mark, with the delimiter that spreadsheets of the language expect."""

    suffix = ".csv"

    def start(self, header: Sequence[Cell]) -> str:
        return _BYTE_ORDER_MARK + self.lines([header])

    def lines(self, rows: Iterable[Sequence[Cell]]) -> str:
        text = io.StringIO()
        delimiter = ";" if formats.get_format("DECIMAL_SEPARATOR") == "," else ","
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerows([_harmless(cell) for cell in row] for row in rows)
        return text.getvalue()

    def finish(self, path: Path, size: int) -> None:
        os.truncate(path, size)


class XlsxFormat:
    """One sheet of an Office Open XML workbook (ECMA-376), all texts inline."""

    suffix = ".xlsx"
    _START = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" '
        'state="frozen"/></sheetView></sheetViews><sheetData>'
    )
    _END = "</sheetData></worksheet>"
    _PARTS = {
        "[Content_Types].xml": (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
            'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
            'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
        ),
        "_rels/.rels": (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
            'Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
            'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
            '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
            'Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>'
        ),
    }

    def start(self, header: Sequence[Cell]) -> str:
        return self._START + self.lines([header])

    def lines(self, rows: Iterable[Sequence[Cell]]) -> str:
        return "".join(f"<row>{''.join(map(self._cell, row))}</row>\n" for row in rows)

    @staticmethod
    def _cell(value: Cell) -> str:
        if not isinstance(value, str):
            return f"<c><v>{value}</v></c>"
        if not value:
            return "<c/>"
        text = _NOT_IN_XML.sub("", str(_harmless(value)))
        if len(text) > MOST_CHARACTERS:
            text = text[: MOST_CHARACTERS - 1] + "…"
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'

    def finish(self, path: Path, size: int) -> None:
        with path.open("rb") as written:
            if zipfile.is_zipfile(written):
                return
            written.seek(0)
            packed = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_PACKING}")
            try:
                self._pack(packed, written, size)
                os.replace(packed, path)
            finally:
                packed.unlink(missing_ok=True)

    def _pack(self, packed: Path, written: BinaryIO, size: int) -> None:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
            for name, content in self._PARTS.items():
                book.writestr(name, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{content}')
            with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
                while size:
                    piece = written.read(min(size, _COPIED_AT_ONCE))
                    if not piece:
                        raise EOFError(f"{packed.name} is shorter than it was")
                    sheet.write(piece)
                    size -= len(piece)
                sheet.write(self._END.encode())


FORMATS: dict[str, Format] = {"csv": CsvFormat(), "xlsx": XlsxFormat()}


def _harmless(cell: Cell) -> Cell:
    return without_formula(cell) if isinstance(cell, str) else cell


def new_file_path(suffix: str) -> str:
    """A place in the media folder that nobody can guess."""
    return f"exports/{secrets.token_urlsafe(24)}{suffix}"


def append(name: str, size: int, text: str) -> int:
    """
    Write `text` behind the first `size` bytes of the file, and say how long it is then.

    Whatever stands behind them was written by a run whose transaction was lost.
    """
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if size and not path.exists():
        raise FileNotFoundError(_("The file is not there any more. Export again."))
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(text.encode(errors="replace"))
        return file.tell()


def finish(name: str, size: int, kind: Format) -> None:
    """Make the file what its reader expects. May be called again after a crash."""
    kind.finish(_path(name), size)


def delete_file(name: str) -> None:
    """Delete a file that may be gone already."""
    if name:
        path = _path(name)
        for found in (path, *path.parent.glob(f"{path.name}.*{_PACKING}")):
            found.unlink(missing_ok=True)


def _path(name: str) -> Path:
    return Path(default_storage.path(name))
