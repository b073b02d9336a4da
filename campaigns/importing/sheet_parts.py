"""
Going on in the middle of an Excel sheet.

Its XML can only be unpacked from the beginning, which is quick; what takes long is reading it. So the part is searched,
block by block, for the row to go on from, and only what comes then is read.

ECMA-376, part 1, 18.3.1.73 (row): https://ecma-international.org/publications-and-standards/standards/ecma-376/
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import BinaryIO

_BLOCK_BYTES = 256 * 1024
#: A row longer than that is none that anybody wants to go on behind.
_LONGEST_ROW_BYTES = 8 * 1024 * 1024
_SHEET_DATA = re.compile(rb"<((?:\w+:)?)sheetData\s*>")
_NUMBER = re.compile(rb"\sr=[\"'](\d+)[\"']")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class PartFromRow:
    """
    The XML of a sheet without the rows up to `number`, as far as they can be left out; to be read like a file.

    Where rows have no numbers, or the XML is of an unusual kind, all of it is there: who reads it looks at the numbers.
    """

    def __init__(self, part: BinaryIO, number: int) -> None:
        self._part = part
        self._begun = _without_rows(part, number)
        if self._begun is None:
            part.seek(0)
            self._begun = b""

    def read(self, size: int = -1) -> bytes:
        if not self._begun:
            return self._part.read(size)
        piece, self._begun = (self._begun, b"") if size < 0 else (self._begun[:size], self._begun[size:])
        return piece

    def close(self) -> None:
        self._part.close()

    def __enter__(self) -> PartFromRow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _without_rows(part: BinaryIO, number: int) -> bytes | None:
    """What stands before the rows, and what was read of those that follow; None if they cannot be told apart."""
    block = part.read(_BLOCK_BYTES)
    opening = _SHEET_DATA.search(block)
    if opening is None or not block.removeprefix(_BYTE_ORDER_MARK).startswith(b"<"):
        return None
    if b"encoding=" in block[:200] and b"utf-8" not in block[:200].lower():
        return None
    tag = b"<" + opening[1] + b"row "
    head, block = block[: opening.end()], block[opening.end() :]
    while True:
        if b"<!" in block:
            return None  # a comment or raw text may look like a row
        last = block.rfind(tag)
        found = _number_at(block, last)
        if found is None and last >= 0 and b">" in block[last:]:
            return None  # rows without numbers
        if found is not None and found > number:
            return head + block[_first_after(block, tag, number) :]
        if found is not None:  # else its beginning is cut off, and rows before it may be wanted
            block = block[last:]
        more = part.read(_BLOCK_BYTES)
        if not more:
            return head + block
        block += more
        if len(block) > _LONGEST_ROW_BYTES:
            return None


def _number_at(block: bytes, start: int) -> int | None:
    end = block.find(b">", start) if start >= 0 else -1
    number = _NUMBER.search(block, start, end) if end >= 0 else None
    return int(number[1]) if number else None


def _first_after(block: bytes, tag: bytes, number: int) -> int:
    """Where the first row after this number begins. There is one."""
    start = block.find(tag)
    while (found := _number_at(block, start)) is not None and found <= number:
        start = block.find(tag, start + 1)
    return start
