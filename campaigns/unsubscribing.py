"""
The link in a text by which somebody opts out: it names the number to us, and to nobody else.

Signing and hiding in one (RFC 5297's idea): a tag of the number, by which it is known that we made the link, also hides
the number. The same number always has the same link, of 20 characters, that needs no row of its own.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import salted_hmac

from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse

#: The placeholder that stands for it in a text.
UNSUBSCRIBE_LINK = "unsubscribe_link"
_TAG_BYTES = 8
#: Fifteen digits, the most that a number has.
_NUMBER_BYTES = 7


class NoSuchLink(ValueError):
    """We have not made this link, or not with a key that is still in use."""


def is_available() -> bool:
    """Whether texts can have a link: it needs the address under which people outside reach this installation."""
    return bool(settings.SITE_URL)


def unsubscribe_link(phone_number: str) -> str:
    """The address at which this number (E.164) can be opted out; empty where SITE_URL is not set."""
    if not is_available():
        return ""
    return f"{settings.SITE_URL}{reverse('unsubscribe', args=[token_for(phone_number)])}"


def token_for(phone_number: str) -> str:
    """The part of the link that names the number."""
    number = int(canonical(phone_number)[1:]).to_bytes(_NUMBER_BYTES, "big")
    key = settings.SECRET_KEY
    tag = _digest(key, "tag", number)[:_TAG_BYTES]
    return base64.urlsafe_b64encode(tag + _mask(key, tag, number)).decode()


def number_of(token: str) -> str:
    """The number (E.164) that a link names. Raises NoSuchLink."""
    try:
        data = base64.urlsafe_b64decode(token.encode("ascii"))
    except (ValueError, binascii.Error) as error:
        raise NoSuchLink(token) from error
    tag, hidden = data[:_TAG_BYTES], data[_TAG_BYTES:]
    for key in map(str, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)):
        number = _mask(key, tag, hidden)
        if len(hidden) == _NUMBER_BYTES and hmac.compare_digest(_digest(key, "tag", number)[:_TAG_BYTES], tag):
            return _e164(number)
    raise NoSuchLink(token)


def _e164(number: bytes) -> str:
    try:
        return parse(f"+{int.from_bytes(number, 'big')}", None).e164
    except InvalidPhoneNumber as error:
        raise NoSuchLink from error


def _mask(key: str, tag: bytes, data: bytes) -> bytes:
    """Hides what is open, and the other way round."""
    stream = _digest(key, "mask", tag)
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


def _digest(key: str, purpose: str, data: bytes) -> bytes:
    return hmac.digest(_derived(key, purpose), data, hashlib.sha256)


@functools.lru_cache(maxsize=16)
def _derived(key: str, purpose: str) -> bytes:
    return salted_hmac(f"campaigns.unsubscribing.{purpose}", "", secret=key, algorithm="sha256").digest()
