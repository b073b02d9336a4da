"""The numbers that this installation may write to: `SMS_ONLY_TO` and `SMS_ALLOWED_COUNTRIES`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from .exceptions import Reason, RecipientRejectedError
from .phone_numbers import InvalidPhoneNumber, parse


def refusals(phone_numbers: Iterable[str]) -> dict[str, RecipientRejectedError]:
    """
    Number -> why this installation may not write to it, for those it may not.

    Empty and cheap when neither setting is used. Raises ImproperlyConfigured when a listed number is none: a guard that
    cannot be read lets nothing through.
    """
    region = getattr(settings, "SMS_DEFAULT_REGION", None)
    only_to = listed_numbers(tuple(getattr(settings, "SMS_ONLY_TO", None) or ()), region)
    countries = frozenset(code.upper() for code in getattr(settings, "SMS_ALLOWED_COUNTRIES", None) or ())
    if not only_to and not countries:
        return {}
    checked = ((number, _refusal(number, region, only_to, countries)) for number in phone_numbers)
    return {number: error for number, error in checked if error is not None}


def refusal(phone_number: str) -> RecipientRejectedError | None:
    """Why this installation may not write to this number; None when it may. Raises as `refusals()`."""
    return refusals([phone_number]).get(phone_number)


@lru_cache(maxsize=8)
def listed_numbers(listed: tuple[str, ...], region: str | None) -> frozenset[str]:
    """`SMS_ONLY_TO` in E.164. Raises ImproperlyConfigured for an entry that is no phone number."""
    numbers = set()
    for entry in listed:
        try:
            numbers.add(parse(entry, region).e164)
        except InvalidPhoneNumber as error:
            raise ImproperlyConfigured(
                f"SMS_ONLY_TO: {entry!r} is not a phone number ({error.reason}). Example: SMS_ONLY_TO=+79991234567"
            ) from error
    return frozenset(numbers)


def _refusal(
    phone_number: str, region: str | None, only_to: frozenset[str], countries: frozenset[str]
) -> RecipientRejectedError | None:
    try:
        number = parse(phone_number, region)
    except InvalidPhoneNumber as error:
        return RecipientRejectedError(str(error.reason), reason=Reason.INVALID_NUMBER)
    if only_to and number.e164 not in only_to:
        return RecipientRejectedError(
            _("This installation sends only to the numbers in SMS_ONLY_TO."), reason=Reason.NOT_ALLOWED
        )
    if countries and number.region not in countries:
        return RecipientRejectedError(
            _("This installation sends only to the countries in SMS_ALLOWED_COUNTRIES."),
            reason=Reason.COUNTRY_NOT_ENABLED,
        )
    return None
