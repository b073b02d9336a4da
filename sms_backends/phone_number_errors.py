"""Why a text is not a phone number, in a stable code and in the operator's words."""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.utils.translation import gettext


def _(sentence: str) -> str:
    """Mark a sentence for makemessages; `reason` translates it. (Django's gettext_noop would need settings.)"""
    return sentence


class InvalidNumberCode(StrEnum):
    """The closed list of reasons; stored and counted, so values never change."""

    EMPTY = "empty"
    LETTERS = "letters"
    SYMBOLS = "symbols"
    EXTENSION = "extension"
    SEVERAL = "several"
    SCIENTIFIC = "scientific"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNKNOWN_COUNTRY = "unknown_country"
    NO_COUNTRY = "no_country"
    COUNTRY_MISSING = "country_missing"
    NOT_IN_PLAN = "not_in_plan"
    AMBIGUOUS = "ambiguous"


_REASONS: dict[InvalidNumberCode, str] = {
    InvalidNumberCode.EMPTY: _("There is no phone number. Fill it in."),
    InvalidNumberCode.LETTERS: _("A phone number has no letters (%(found)s). Write it in digits."),
    InvalidNumberCode.SYMBOLS: _("These characters do not belong in a phone number: %(found)s. Remove them."),
    InvalidNumberCode.EXTENSION: _("A text message cannot reach an extension (%(found)s). Give a direct number."),
    InvalidNumberCode.SEVERAL: _("There is more than one number here. Put each in a row of its own."),
    InvalidNumberCode.SCIENTIFIC: _(
        "The spreadsheet shortened the number to %(found)s, so its last digits may be lost. "
        "Format the column as text, enter the number again and save the file anew."
    ),
    InvalidNumberCode.TOO_SHORT: _("The number is too short (digits: %(count)d). Check that none is missing."),
    InvalidNumberCode.TOO_LONG: _(
        "The number is too long (digits: %(count)d). Remove what is surplus; two numbers need two rows."
    ),
    InvalidNumberCode.UNKNOWN_COUNTRY: _(
        "No country has a code that begins like %(number)s. Check the digits after the plus."
    ),
    InvalidNumberCode.NO_COUNTRY: _(
        "%(number)s belongs to an international service, not to a country. Give a number that takes text messages."
    ),
    InvalidNumberCode.COUNTRY_MISSING: _("The country is not clear. Write the number with + and the country code."),
    InvalidNumberCode.NOT_IN_PLAN: _(
        "There are no such numbers in %(region)s. Check the digits; "
        "write a number of another country with + and the country code."
    ),
    InvalidNumberCode.AMBIGUOUS: _("This may be %(readings)s. Write the right one with + and the country code."),
}


class InvalidPhoneNumber(ValueError):
    """Raised for what cannot be read as one phone number. `str()` of it is the reason."""

    def __init__(self, code: InvalidNumberCode, **details: str | int) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details  # what the sentence names: found, count, number, region, readings

    @property
    def reason(self) -> str:
        """What is wrong and what to do about it: a sentence in the language active now."""
        sentence = _REASONS[self.code]
        # Numbers can be parsed without a Django project around; then there is no language to translate into.
        return (gettext(sentence) if settings.configured else sentence) % self.details

    def __str__(self) -> str:
        return self.reason

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.code, self.details)


def _rebuild(code: InvalidNumberCode, details: dict[str, str | int]) -> InvalidPhoneNumber:
    """Undo pickling, which cannot pass keywords (an error may cross from a worker process)."""
    return InvalidPhoneNumber(code, **details)
