"""Workbooks made by hand, for tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

#: Made with xlwt: a hidden sheet, an empty one, and people in the third, with a blank row among them.
OLD_EXCEL = Path(__file__).parent / "files" / "contacts.xls"

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
    '<office:automatic-styles><style:style style:name="gone" style:family="table">'
    '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
    "<office:body><office:spreadsheet>"
)
_TAIL = "</office:spreadsheet></office:body></office:document-content>"


def ods(*sheets: str, head: str = _HEAD) -> bytes:
    """A workbook of these sheets, made by `sheet()`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", head + "".join(sheets) + _TAIL)
    return content.getvalue()


def sheet(name: str, *rows: str, style: str = "shown") -> str:
    return f'<table:table table:name="{name}" table:style-name="{style}">{"".join(rows)}</table:table>'


def row(*cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}</table:table-row>'


def text(value: str, repeated: int = 1) -> str:
    paragraphs = "".join(f"<text:p>{escape(line)}</text:p>" for line in value.split("\n")) if value else ""
    return (
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{repeated}">'
        f"{paragraphs}</table:table-cell>"
    )


def number(value: float, shown: str = "") -> str:
    return (
        f'<table:table-cell office:value-type="float" office:value="{value}"><text:p>{shown or value}</text:p>'
        "</table:table-cell>"
    )


def texts(rows: Iterable[Iterable[str]]) -> list[str]:
    return [row(*(text(cell) for cell in cells)) for cells in rows]
