"""What kind of file somebody gave us, and how to read it."""

from __future__ import annotations

from typing import BinaryIO

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from . import limits
from .delimited import open_delimited
from .errors import FileRefused
from .spreadsheets import open_workbook
from .tables import Table

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
_OLE_SIGNATURE = b"\xd0\xcf\x11\xe0"
_ZIP_SIGNATURE = b"PK\x03\x04"


def open_table(file: BinaryIO) -> Table:
    """Find out what `file` (seekable) is and how to read it. Raises FileRefused if it is not a table."""
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
    return open_workbook(file) if head.startswith(_ZIP_SIGNATURE) else open_delimited(file)


def _refuse_other_kinds(head: bytes) -> None:
    if not head.strip():
        raise FileRefused(_("The file is empty."))
    if head.startswith(_OLE_SIGNATURE):
        raise FileRefused(
            _(
                "This is an old Excel file (.xls) or one protected with a password. "
                "Save it as an Excel workbook (.xlsx) without a password, or as CSV."
            )
        )
    kind = next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"{", b"[")):
        kind = "JSON"
    elif start.startswith((b"<!doctype", b"<html", b"<?xml")):
        kind = "HTML/XML"
    if kind:
        raise FileRefused(
            _("This is not a table but a %(kind)s file. Choose a CSV file or an Excel workbook (.xlsx).")
            % {"kind": kind}
        )
