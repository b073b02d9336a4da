"""Workbooks that are zip archives (.xlsx, .ods): which kind it is, and whether it can be unpacked without harm."""

from __future__ import annotations

import zipfile
from typing import BinaryIO
from xml.etree.ElementTree import ParseError
from zlib import error as ZlibError

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from . import limits
from .errors import FileRefused

#: What a damaged workbook makes the libraries that read it raise.
DAMAGED = (
    zipfile.BadZipFile,
    ZlibError,
    ParseError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    TypeError,
    ValueError,
)
EXCEL_PART = "xl/workbook.xml"
OPEN_DOCUMENT_PART = "content.xml"
_SHARED_STRINGS = "xl/sharedstrings.xml"


def check_archive(file: BinaryIO) -> str:
    """The part by which the kind of workbook is known. Raises FileRefused for other archives and for zip bombs."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except DAMAGED:
        raise damaged() from None
    names = {part.filename for part in parts}
    kind = next((part for part in (EXCEL_PART, OPEN_DOCUMENT_PART) if part in names), None)
    if kind is None:
        raise FileRefused(
            _("This archive is not a workbook. Choose a CSV file, or a workbook of Excel or LibreOffice (.xlsx, .ods).")
        )
    _check_sizes(parts)
    if any(part.flag_bits & 1 for part in parts) or "EncryptedPackage" in names:
        raise protected()
    file.seek(0)
    return kind


def _check_sizes(parts: list[zipfile.ZipInfo]) -> None:
    # zipfile never unpacks more of a part than it announces, so the announced sizes can be relied on.
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts) or 1
    # The texts of an Excel workbook are held in memory; its rows are not.
    texts = sum(part.file_size for part in parts if part.filename.lower() == _SHARED_STRINGS)
    too_dense = unpacked > limits.MIN_SUSPICIOUS_BYTES and unpacked / packed > limits.MAX_UNPACKED_RATIO
    if unpacked > limits.MAX_UNPACKED_BYTES or texts > limits.MAX_TEXTS_BYTES or too_dense:
        raise FileRefused(
            _("Unpacked, this workbook would take %(size)s. Save the sheet with the contacts alone, best as CSV.")
            % {"size": filesizeformat(unpacked)}
        )


def damaged() -> FileRefused:
    """What is said of a workbook that cannot be read to its end."""
    return FileRefused(_("This workbook is damaged. Open it in Excel, save it anew as .xlsx or CSV and upload that."))


def protected() -> FileRefused:
    """What is said of a workbook that only opens with a password."""
    return FileRefused(_("This workbook is protected with a password. Save it without one, or as CSV."))


def no_rows() -> FileRefused:
    """What is said of a workbook whose sheets are all empty."""
    return FileRefused(_("The file is empty: no sheet has anything in it."))


def no_such_sheet(name: str) -> FileRefused:
    """What is said if the sheet that was chosen is not there."""
    return FileRefused(_("There is no sheet “%(name)s” in this workbook; choose another one.") % {"name": name})
