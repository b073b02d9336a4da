"""In which encoding a text file is written: UTF-8, UTF-16, or a legacy one, told apart by script."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import chardet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .alphabets import is_japanese, likeliest_latin
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

#: What an operator may choose from, by Python's names: those that spreadsheets and shops write.
ENCODINGS = {
    "utf-8": gettext_lazy("Unicode (UTF-8)"),
    "utf-8-sig": gettext_lazy("Unicode (UTF-8 with a mark at the start)"),
    "utf-16": gettext_lazy("Unicode (UTF-16)"),
    "utf-16-le": gettext_lazy("Unicode (UTF-16, little-endian)"),
    "utf-16-be": gettext_lazy("Unicode (UTF-16, big-endian)"),
    "cp1252": gettext_lazy("Western European (Windows-1252)"),
    "cp1250": gettext_lazy("Central European (Windows-1250)"),
    "cp1251": gettext_lazy("Cyrillic (Windows-1251)"),
    "koi8-r": gettext_lazy("Cyrillic (KOI8-R)"),
    "koi8-u": gettext_lazy("Ukrainian (KOI8-U)"),
    "cp866": gettext_lazy("Cyrillic (DOS 866)"),
    "cp1253": gettext_lazy("Greek (Windows-1253)"),
    "cp1254": gettext_lazy("Turkish (Windows-1254)"),
    "cp1255": gettext_lazy("Hebrew (Windows-1255)"),
    "cp1256": gettext_lazy("Arabic (Windows-1256)"),
    "cp1257": gettext_lazy("Baltic (Windows-1257)"),
    "cp1258": gettext_lazy("Vietnamese (Windows-1258)"),
    "cp874": gettext_lazy("Thai (Windows-874)"),
    "cp932": gettext_lazy("Japanese (Shift_JIS)"),
    "euc_jp": gettext_lazy("Japanese (EUC-JP)"),
    "gb18030": gettext_lazy("Chinese, simplified (GB18030)"),
    "big5hkscs": gettext_lazy("Chinese, traditional (Big5)"),
    "cp949": gettext_lazy("Korean (EUC-KR)"),
    "mac_roman": gettext_lazy("Western European (Macintosh)"),
    "mac_cyrillic": gettext_lazy("Cyrillic (Macintosh)"),
    "iso8859-2": gettext_lazy("Central European (ISO 8859-2)"),
    "iso8859-5": gettext_lazy("Cyrillic (ISO 8859-5)"),
}

_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+")
_EAST_ASIAN_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002ffff]+")
_CYRILLIC = ("cp1251", "koi8-u", "cp866", "mac-cyrillic", "iso8859-5")
#: A Russian or Ukrainian word as people write it: all small, all capital, or a capital first.
_CAPITALISED = re.compile(r"[А-ЯЁІЇЄҐ][а-яёіїєґ]+")
_CYRILLIC_WORD = re.compile(r"[А-ЯЁІЇЄҐ]?[а-яёіїєґ]+|[А-ЯЁІЇЄҐ]+")
_CYRILLIC_VOWELS = frozenset("аеёиоуыэюяіїє")
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
        if is_encoded(file, candidate):
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


def is_encoded(file: BinaryIO, encoding: str) -> bool:
    """Whether the whole of `file` can be read in this encoding. It is read block by block."""
    file.seek(0)
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        while block := file.read(_BLOCK_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except (UnicodeError, LookupError):
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
        return _east_asian(sample) or likeliest_latin(words)
    if _is_japanese_euc(sample):
        return "euc_jp"
    if cyrillic := next((encoding for encoding in _CYRILLIC if _reads_as_cyrillic(words, encoding)), None):
        return cyrillic
    try:
        return codecs.lookup(chardet.detect(sample)["encoding"] or "cp1251").name
    except LookupError:
        return "cp1251"


def _reads_as_cyrillic(words: list[bytes], encoding: str) -> bool:
    """
    Whether the words are Russian or Ukrainian in this encoding. Those of another Cyrillic encoding get their capitals
    in odd places, those of another alphabet get too few vowels. A short list is enough, where a library sees Kazakh or
    Chinese.
    """
    texts = [word.decode(encoding, errors="replace") for word in words]
    cyrillic = [text for text in texts if _CYRILLIC_WORD.fullmatch(text)]
    if encoding != "cp1251" and not any(_CAPITALISED.fullmatch(text) for text in cyrillic):
        return False  # Hebrew and Greek in small letters look like capitals in others
    letters = "".join(cyrillic).casefold()
    vowels = sum(letter in _CYRILLIC_VOWELS for letter in letters)
    return len(cyrillic) * 2 > len(texts) and vowels >= len(letters) * _LEAST_VOWELS


def _is_japanese_euc(sample: bytes) -> bool:
    """A library takes short lists of Japanese names for Chinese ones."""
    try:
        text = codecs.getincrementaldecoder("euc_jp")().decode(sample)
    except UnicodeError:
        return False
    return is_japanese(word for word in _WORD.findall(text) if not word.isascii())


def _east_asian(sample: bytes) -> str | None:
    """Shift_JIS and Big5 write half of a character as an ASCII letter; read in them, no word mixes Latin letters in."""
    for encoding in ("cp932", "big5hkscs"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeError:
            continue
        foreign = [word for word in _WORD.findall(text) if not word.isascii()]
        pure = sum(bool(_EAST_ASIAN_WORD.fullmatch(word)) for word in foreign)
        if foreign and pure > len(foreign) * 0.9:
            return encoding
    return None
