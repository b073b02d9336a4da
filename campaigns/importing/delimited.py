"""Text files: comma, semicolon, tab or bar between the cells."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import BinaryIO

from django.utils.translation import gettext as _

from . import limits
from .columns import find_phone_columns
from .encodings import detect_encoding, is_encoded
from .errors import FileRefused
from .tables import Row, Table, limited, tidied

DELIMITERS = (";", ",", "\t", "|")
_SAMPLE_LINES = 50
#: A first line by which Excel is told the delimiter.
_SEP_LINE = re.compile(r"[\s\ufeff]*\"?sep=(.)\"?[\s;,]*", re.IGNORECASE)


def open_delimited(file: BinaryIO, *, encoding: str = "", delimiter: str = "") -> Table:
    """
    Find out encoding and delimiter, unless they are given.

    Raises FileRefused if `file` is not a text, or not one in this encoding.
    """
    if not encoding:
        encoding = detect_encoding(file)
    elif not is_encoded(file, encoding):
        raise FileRefused(_("The file is not written in this encoding; choose another one."))
    size = max(file.seek(0, io.SEEK_END), 1)
    sample = list(itertools.islice(_lines(file, encoding), _SAMPLE_LINES))
    announced = _SEP_LINE.fullmatch(sample[0]) if sample else None
    delimiter = delimiter or (announced[1] if announced else _likeliest_delimiter(sample))

    def rows() -> Iterator[Row]:
        return limited(_rows(_lines(file, encoding), delimiter, skip_first=announced is not None))

    def percent() -> int:
        return min(int(file.tell() * 100 / size), 100)

    return Table(rows, encoding=encoding, delimiter=delimiter, percent=percent)


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """The lines with their ends, which may be of any system. A line beyond all measure means that this is no table."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        while line := text.readline(limits.MAX_LINE_CHARACTERS + 1):
            if len(line) > limits.MAX_LINE_CHARACTERS:
                raise FileRefused(_("This file is not a table: one of its lines has no end."))
            yield line.replace("\0", "")
    finally:
        with contextlib.suppress(ValueError):  # closed already, by its owner
            text.detach()  # or it would be closed here


def _likeliest_delimiter(sample: list[str]) -> str:
    """The one with which a phone column is found, then the one that cuts the most rows as its first."""

    def fitness(delimiter: str) -> tuple[bool, int, int]:
        rows = [row.cells for row in itertools.islice(_rows(iter(sample), delimiter, lenient=True), _SAMPLE_LINES)]
        rows = [cells for cells in rows if any(cells)]
        width = len(rows[0]) if rows else 0
        cuts_data = len(rows) == 1 or any(len(cells) > 1 for cells in rows[1:])
        if width < 2 or not cuts_data:
            return False, 0, 0
        phones = [rows[0][position] for position in find_phone_columns(rows[0])]
        cut_well = any(not set(DELIMITERS).intersection(header) for header in phones)
        return cut_well, sum(len(cells) == width for cells in rows), width

    return max(DELIMITERS, key=fitness)


def _rows(lines: Iterator[str], delimiter: str, *, skip_first: bool = False, lenient: bool = False) -> Iterator[Row]:
    """
    The rows with the numbers of the lines they begin in.

    A quotation mark that is never closed would swallow every row after it, so the file is refused, unless `lenient`:
    a sample may end inside a quoted cell.
    """
    source = _Source(lines)
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True)
    begins_at = 1
    try:
        for cells in reader:
            line_count = reader.line_num - begins_at + 1
            if not lenient and (source.exhausted or line_count > limits.MAX_LINES_PER_ROW):
                raise _unclosed_quote(begins_at)
            if not (skip_first and begins_at == 1):
                yield Row(begins_at, [tidied(cell) for cell in cells], line_count)
            begins_at = reader.line_num + 1
    except csv.Error:
        # The one error the reader has outside its strict mode: a cell of more than 131,072 characters.
        if not lenient:
            raise _unclosed_quote(begins_at) from None


def _unclosed_quote(line: int) -> FileRefused:
    return FileRefused(
        _('A quotation mark (") opened in line %(line)d is not closed, so the rows after it cannot be told apart.')
        % {"line": line}
    )


class _Source:
    """Lines for csv.reader. Only inside a quoted cell does it ask for one more than there are before it gives a row."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.exhausted = False

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            self.exhausted = True
            raise
