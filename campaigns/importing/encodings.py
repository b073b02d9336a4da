"""In which encoding a text file is written: UTF-8, UTF-16, or a legacy one, told apart by script."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import chardet
from django.utils.translation import gettext as _

from .errors import FileRefused

_BLOCK_BYTES = 64 * 1024
#: chardet looks no further than this anyway.
_SAMPLE_BYTES = 200 * 1024

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the next one
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
#: A Russian word as people write it: all small, all capital, or a capital first.
_RUSSIAN_WORD = re.compile(r"[А-ЯЁ]?[а-яё]+|[А-ЯЁ]+")
_RUSSIAN_VOWELS = frozenset("аеёиоуыэюя")
#: Of the letters in Russian names and words about four in ten are vowels; read from another alphabet, fewer.
_LEAST_VOWELS = 0.22


def detect_encoding(file: BinaryIO) -> str:
    """
    The Python name of the encoding in which the whole of `file` can be read. The file is left at its beginning.

    Raises FileRefused if it is not a text at all, or one that no encoding fits.
    """
    file.seek(0)
    head = file.read(_BLOCK_BYTES)
    encoding = _from_byte_order_mark(head) or _utf16_without_mark(head)
    if encoding is None:
        _refuse_binary(head)
    candidates: Iterable[str] = [encoding] if encoding else _candidates(file)
    for candidate in candidates:
        if _decodes(file, candidate):
            file.seek(0)
            return candidate
    raise FileRefused(
        _("The characters of this file cannot be read. Save it as “CSV UTF-8” or as an Excel workbook (.xlsx).")
    )


def _from_byte_order_mark(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _BYTE_ORDER_MARKS if head.startswith(mark)), None)


def _utf16_without_mark(head: bytes) -> str | None:
    """Digits, separators and line ends take a zero byte each in UTF-16, always on the same side."""
    head = head[: len(head) // 2 * 2]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < len(head) / 2 * 0.2 or min(even, odd) > len(head) / 2 * 0.01:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _refuse_binary(head: bytes) -> None:
    """Control characters other than white space do not occur in a table that somebody saved as text."""
    control_count = sum(head.count(code) for code in range(32) if code not in b"\t\n\v\f\r\x1a\x1b")
    if b"\0" in head or control_count > len(head) / 1000:
        raise FileRefused(_("This file is not a table. Choose a CSV file or an Excel workbook (.xlsx)."))


def _candidates(file: BinaryIO) -> Iterator[str]:
    yield "utf-8"
    sample = _non_ascii_sample(file)
    yield _legacy_encoding(sample)
    yield from ("cp1251", "cp1252")


def _decodes(file: BinaryIO, encoding: str) -> bool:
    """Reads to the end of the file, block by block."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := file.read(_BLOCK_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _non_ascii_sample(file: BinaryIO) -> bytes:
    """The lines that tell something: the first ones that are not plain ASCII, wherever in the file they are."""
    file.seek(0)
    sample = bytearray()
    while len(sample) < _SAMPLE_BYTES and (line := file.readline(_BLOCK_BYTES)):
        if not line.isascii():
            sample += line
    return bytes(sample)


def _legacy_encoding(sample: bytes) -> str:
    """
    Which of the one-byte (or East Asian) encodings `sample` is in.

    A library alone does not tell windows-1251 from -1252 on lists of names. Their words do: in Western languages an
    accented letter stands among plain ones ("René"), in the others every letter of a word is beyond ASCII.
    """
    words = _HIGH_WORD.findall(sample)
    western = sum(bool(_ASCII_LETTER.search(word)) for word in words)
    if western * 2 > len(words):
        return "cp1252"
    if _reads_as_russian(words):
        return "cp1251"
    try:
        return codecs.lookup(chardet.detect(sample)["encoding"] or "cp1251").name
    except LookupError:
        return "cp1251"


def _reads_as_russian(words: list[bytes]) -> bool:
    """
    Whether the words are Russian in windows-1251. Those of another Cyrillic encoding get their capitals in odd places,
    those of another alphabet get too few vowels. A short list is enough, where a library sees Kazakh or Chinese.
    """
    texts = [word.decode("cp1251", errors="replace") for word in words]
    russian = [text.casefold() for text in texts if _RUSSIAN_WORD.fullmatch(text)]
    letters = "".join(russian)
    vowels = sum(letter in _RUSSIAN_VOWELS for letter in letters)
    return len(russian) * 2 > len(texts) and vowels >= len(letters) * _LEAST_VOWELS
