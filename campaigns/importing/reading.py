"""What kind of file somebody gave us, and how to read it."""

from __future__ import annotations

from typing import BinaryIO

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from . import limits
from .archives import EXCEL_PART, check_archive
from .delimited import open_delimited
from .errors import FileRefused
from .old_excel import open_old_workbook
from .opendocument import open_open_document
from .spreadsheets import open_workbook
from .tables import Reading, Table

#: How files begin that people upload by mistake, and what to tell them.
_SIGNATURES = (
    (b"%PDF", "PDF"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"{\\rtf", "RTF"),
)
#: Old Excel files: in an OLE container, or (before Excel 5) bare.
_OLD_EXCEL = (b"\xd0\xcf\x11\xe0", b"\x09\x08\x10\x00", b"\x09\x08\x08\x00", b"\x09\x04\x06\x00", b"\x09\x02\x06\x00")
_ZIP_SIGNATURE = b"PK\x03\x04"


def open_table(file: BinaryIO, reading: Reading | None = None) -> Table:
    """Find out what `file` (seekable) is and how to read it. Raises FileRefused if it is not a table."""
    reading = reading or Reading()
    size = file.seek(0, 2)
    if size > limits.MAX_FILE_BYTES:
        raise FileRefused(
            _("The file is too large: %(size)s. The limit is %(limit)s; split it into several files.")
            % {"size": filesizeformat(size), "limit": filesizeformat(limits.MAX_FILE_BYTES)}
        )
    file.seek(0)
    head = file.read(2048)
    _refuse_other_kinds(head)
    file.seek(0)
    if head.startswith(_OLD_EXCEL):
        return open_old_workbook(file, sheet=reading.sheet)
    if not head.startswith(_ZIP_SIGNATURE):
        return open_delimited(file, encoding=reading.encoding, delimiter=reading.delimiter)
    open_archive = open_workbook if check_archive(file) == EXCEL_PART else open_open_document
    return open_archive(file, sheet=reading.sheet)


def _refuse_other_kinds(head: bytes) -> None:
    if not head.strip():
        raise FileRefused(_("The file is empty."))
    kind = next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"{", b"[")):
        kind = "JSON"
    elif start.startswith((b"<!doctype", b"<html", b"<?xml")):
        kind = "HTML/XML"
    if kind:
        raise FileRefused(
            _("This is not a table but a %(kind)s file. Choose a CSV file or a workbook (.xlsx, .xls, .ods).")
            % {"kind": kind}
        )
