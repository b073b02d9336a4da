"""What somebody means who types a phone number, whole or a part of it, in whatever spelling."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q

from campaigns import masking
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

#: Fewer digits than this are no beginning of a phone number worth searching.
LEAST_DIGITS = 3


def read_number(term: str) -> str | None:
    """A search term as E.164; None when it is not one whole phone number."""
    try:
        return parse(term, settings.SMS_DEFAULT_REGION).e164
    except InvalidPhoneNumber:
        return None


def why_no_number(term: str) -> str:
    """Why a search term that is made of digits is no phone number; empty for other terms."""
    if not looks_like_number(term):
        return ""
    try:
        parse(term, settings.SMS_DEFAULT_REGION)
    except InvalidPhoneNumber as error:
        return error.reason
    return ""


def looks_like_number(term: str) -> bool:
    """Whether somebody seems to search for a phone number, or the beginning of one."""
    return sum(c.isdecimal() for c in term) >= LEAST_DIGITS and not any(c.isalpha() for c in term)


def digits_of(term: str) -> str:
    """The digits of any script in a text, as ASCII."""
    return "".join(str(int(c)) for c in term if c.isdecimal())


def number_query(term: str, field: str = "phone_number") -> Q | None:
    """
    The rows with this number, in any spelling, or whose number begins with these digits. None for other terms.

    Whoever may not see whole numbers has to know one: beginnings would spell it out, digit by digit.

    A range and no LIKE, so that the index serves it on every database.
    """
    if e164 := read_number(term):
        return Q(**{field: e164})
    if not looks_like_number(term):
        return None
    if not masking.may_see_numbers():
        return Q(pk__in=[])
    return beginning(digits_of(term), field)


def beginning(digits: str, field: str = "phone_number") -> Q:
    """The rows whose number begins with these digits, the country's code first."""
    query = Q(**{f"{field}__gte": f"+{digits}"})
    if below := digits.rstrip("9"):  # +7999… ends where +8 begins: digits sort alike under every collation
        query &= Q(**{f"{field}__lt": f"+{below[:-1]}{int(below[-1]) + 1}"})
    return query
