"""How many SMS a text needs: its encoding, its segments, and what made it expensive.

The rules are 3GPP TS 23.038 (the GSM 7-bit default alphabet and its extension table) and TS 23.040 (joined messages):
https://www.3gpp.org/dynareport/23038.htm and https://www.3gpp.org/dynareport/23040.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

# TS 23.038, section 6.2.1. Its 128th code is ESC, which announces an extension character and is none itself.
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038, section 6.2.1.1. Each costs two septets: ESC and a code.
GSM_EXTENSION = "\f^{}\\[~]|€"

_ESCAPE = "\x1b"
_ONLY_BASIC = re.compile(f"[{re.escape(GSM_BASIC)}]*")
_ONLY_GSM = re.compile(f"[{re.escape(GSM_BASIC + GSM_EXTENSION)}]*")
_NOT_GSM = re.compile(f"[^{re.escape(GSM_BASIC + GSM_EXTENSION)}]")
_EXTENSION = re.compile(f"[{re.escape(GSM_EXTENSION)}]")


class Encoding(StrEnum):
    """The two ways a text travels."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


# Units (septets in GSM-7, UTF-16 code units in UCS-2) in a message that stands alone, and in one segment of a joined
# message, where a header of six octets takes part of the 140.
ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What a text costs to send."""

    encoding: Encoding
    segments: int  # what is billed; 1 for an empty text, which travels as one SMS
    units: int  # septets or UTF-16 code units of the whole text, headers not counted
    units_left: int  # how many still fit into the last segment


@dataclass(frozen=True, slots=True)
class CostlyCharacter:
    """A character outside GSM-7, which makes the whole text travel as UCS-2."""

    character: str
    positions: tuple[int, ...]  # indexes into the text, ascending
    replacement: str | None  # what `to_gsm` writes instead (may be empty); None if nothing in GSM-7 says the same

    @property
    def code_point(self) -> str:
        """Its Unicode name tag, "U+00A0": what to show for characters that cannot be seen."""
        return f"U+{ord(self.character):04X}"


def choose_encoding(text: str) -> Encoding:
    """GSM-7 if every character is in its alphabet or extension table, else UCS-2."""
    return Encoding.GSM7 if _ONLY_GSM.fullmatch(text) else Encoding.UCS2


def segment(text: str) -> Segmentation:
    """Count what `text` costs. Neither an escape pair nor a surrogate pair is ever split between two segments."""
    if _ONLY_BASIC.fullmatch(text):
        return _pack_plain(Encoding.GSM7, len(text))
    if _ONLY_GSM.fullmatch(text):
        septets = _EXTENSION.sub(rf"{_ESCAPE}\g<0>", text)
        return _pack(Encoding.GSM7, len(septets), lambda index: septets[index] == _ESCAPE)
    try:
        utf16 = text.encode("utf-16-be")
    except UnicodeEncodeError:
        # A lone surrogate is no character, but pasted text may hold one, and it takes the place of one unit.
        utf16 = text.encode("utf-16-be", "surrogatepass")
    else:
        if len(utf16) == 2 * len(text):  # no pairs in it
            return _pack_plain(Encoding.UCS2, len(text))
    return _pack(Encoding.UCS2, len(utf16) // 2, lambda index: _is_surrogate_pair(utf16, index))


def costly_characters(text: str) -> list[CostlyCharacter]:
    """The characters that force `text` into UCS-2, each once, in the order they appear; empty if it is GSM-7."""
    positions: dict[str, list[int]] = {}
    for match in _NOT_GSM.finditer(text):
        positions.setdefault(match[0], []).append(match.start())
    return [CostlyCharacter(found, tuple(at), GSM_REPLACEMENTS.get(found)) for found, at in positions.items()]


def to_gsm(text: str) -> str:
    """Replace every character outside GSM-7 that has a replacement; the others stay.

    Letters are never changed, so the result may still be UCS-2: ask `segment` whether anything was gained.
    """
    return _NOT_GSM.sub(lambda match: GSM_REPLACEMENTS.get(match[0], match[0]), text)


@lru_cache(maxsize=4096)
def _pack_plain(encoding: Encoding, units: int) -> Segmentation:
    """A text in which every character is one unit costs what its length costs."""
    return _pack(encoding, units)


def _pack(encoding: Encoding, units: int, starts_pair: Callable[[int], bool] | None = None) -> Segmentation:
    """Fill segments one after another, one unit less where `starts_pair` says that its last unit opens a pair."""
    if units <= ALONE[encoding]:
        return Segmentation(encoding, 1, units, ALONE[encoding] - units)
    capacity = JOINED[encoding]
    segments, start = 1, 0
    while units - start > capacity:
        start += capacity
        if starts_pair and starts_pair(start - 1):
            start -= 1
        segments += 1
    return Segmentation(encoding, segments, units, capacity - (units - start))


def _is_surrogate_pair(utf16: bytes, index: int) -> bool:
    """Whether the code units `index` and `index + 1` (big-endian) are the two halves of one character."""
    return utf16[2 * index] & 0xFC == 0xD8 and utf16[2 * index + 2] & 0xFC == 0xDC


# What stands in for a character that is not GSM-7, by what it is. Only marks that say the same to a reader are here:
# no letters (transliteration is the author's decision), no superscripts and fractions ("1½" would read "11/2"), and no
# zero width joiners, which hold emoji and Indic or Persian words together.
_STAND_INS: dict[str, dict[str, str]] = {
    "double quotes": dict.fromkeys("“”„‟«»″‶〝〞〟❝❞ʺˮ", '"'),
    "single quotes, primes and accents": dict.fromkeys("‘’‛′‵´`ʹʻʼʽˈˊˋ❛❜", "'"),
    "angle quotes": {"‹": "<", "›": ">"},
    "hyphens, dashes and minus": dict.fromkeys("‐‑‒–—―−⁃﹘﹣", "-"),
    "dots": {"…": "...", "‥": "..", "․": "."},
    "bullets": dict.fromkeys("•‣◦●▪", "-"),
    "commas": dict.fromkeys("‚、﹐﹑､", ","),
    "full stops": dict.fromkeys("。﹒｡", "."),
    "doubled marks": {"‼": "!!", "⁇": "??", "⁈": "?!", "⁉": "!?"},
    "signs": {"×": "x", "÷": "/", "⁄": "/", "∕": "/", "∗": "*", "⁎": "*", "∼": "~", "˜": "~", "ˆ": "^", "∣": "|"},
    "marks of ownership": {"©": "(c)", "®": "(R)", "™": "(TM)", "№": "No."},
    "ligatures": {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"},
    "full-width forms": {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code != 0xFF40}
    | {"｀": "'", "￡": "£", "￥": "¥"},
    "spaces": dict.fromkeys(
        "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    ),
    "line and paragraph ends": dict.fromkeys("\v\u0085\u2028\u2029", "\n"),
    "invisible marks": dict.fromkeys(
        "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff", ""
    ),
    "control characters": dict.fromkeys((chr(code) for code in range(0x20) if chr(code) not in "\t\n\v\f\r"), ""),
}
GSM_REPLACEMENTS: dict[str, str] = {
    character: stand_in for group in _STAND_INS.values() for character, stand_in in group.items()
}
