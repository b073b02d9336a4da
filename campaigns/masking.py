"""
What of phone numbers and texts a reader gets to see.

Who reads is known to the request (`campaigns.middleware`) or said by `as_seen_by()`; everything that shows a number or
a text to people asks here. Outside of both, in the engine, nothing is hidden: what is sent and stored is never masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.utils.translation import gettext as _
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

FULL_NUMBERS = "campaigns.view_full_numbers"
MESSAGE_TEXTS = "campaigns.view_message_text"

#: A masked number has as many characters whatever number it was: its length would tell the country's kinds of numbers.
WIDTH = 12
#: So many of its last digits are shown.
LAST = 2
_BULLET = "•"
#: Fewer digits than this are a short code or a count, no person's number.
_LEAST_DIGITS = 7
#: Digits in a text that may be a number: with its plus, or ten of them and more, in whatever groups.
_IN_TEXT = re.compile(
    r"(?<![\w#])(?:\+\d[\d\s().\-\N{NO-BREAK SPACE}]{5,}\d|\d(?:[\s().\-\N{NO-BREAK SPACE}]{0,2}\d){9,})(?!\w)"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\b")
_reader: ContextVar[Any] = ContextVar("reader", default=None)


@contextmanager
def as_seen_by(user: Any) -> Iterator[None]:
    """What is shown within is shown to this user. None: to nobody in particular, so that nothing is hidden."""
    token = _reader.set(user)
    try:
        yield
    finally:
        _reader.reset(token)


def may_see_numbers() -> bool:
    """Whether whoever reads may see whole numbers."""
    return _may(FULL_NUMBERS)


def may_see_texts() -> bool:
    """Whether whoever reads may see what is written to people and what they write."""
    return _may(MESSAGE_TEXTS)


def may_see_all() -> bool:
    """Both: raw answers of providers hold numbers and texts."""
    return may_see_numbers() and may_see_texts()


def _may(permission: str) -> bool:
    reader = _reader.get()
    return reader is None or bool(reader.has_perm(permission))


def number(value: Any) -> str:
    """A number as the reader may see it: country code and last two digits. What is no number stays as it is."""
    shown = str(getattr(value, "as_e164", value) or "")
    if may_see_numbers():
        return shown
    digits = "".join(c for c in shown if c.isdecimal())
    is_name = any(c.isalpha() or c == "#" for c in shown)
    if is_name or len(digits) < _LEAST_DIGITS:
        return shown
    country = _country_code(digits)
    hidden = WIDTH - 1 - len(country) - LAST
    return f"+{country}{_BULLET * hidden}{digits[-LAST:]}"


def _country_code(digits: str) -> str:
    return next((digits[:size] for size in (1, 2, 3) if int(digits[:size]) in COUNTRY_CODE_TO_REGION_CODE), "")


def is_country(digits: str) -> bool:
    """Whether these digits are no more of a number than everybody sees: none, or a country's code."""
    return not digits or _country_code(digits) == digits


def in_text(text: Any) -> str:
    """A sentence, in which numbers are masked."""
    shown = str(text)
    if may_see_numbers():
        return shown
    return _IN_TEXT.sub(lambda found: found[0] if _DATE.match(found[0]) else number(found[0]), shown)


def text(value: Any) -> str:
    """What was written to or by a person, or a word in its place."""
    shown = str(value or "")
    return shown if may_see_texts() or not shown else hidden_text()


def raw(value: str) -> str:
    """What a provider said, word by word: it may hold a number and a text."""
    return value if may_see_all() or not value else hidden_text()


def hidden_text() -> str:
    """What stands in the place of a text that the reader may not see."""
    return _("(hidden)")
