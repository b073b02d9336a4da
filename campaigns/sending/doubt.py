"""How long an unknown outcome may still change, and whether the provider can be asked about it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from campaigns.models import MessageStatus, SentMessage
from sms_backends import BaseSmsBackend, Capabilities, get_sms_backend

#: The first question comes soon: what was taken is known at once. "Not there" does not count before the settle time.
FIRST_LOOKUP = timedelta(seconds=5)


def settle_time(gateway: str) -> timedelta:
    """How long the provider may still take a request after which no answer came; no resend before it is over."""
    if settings.SMS_SETTLE_SECONDS is not None:
        return timedelta(seconds=settings.SMS_SETTLE_SECONDS)
    try:
        capabilities = get_sms_backend(gateway).capabilities
    except ImproperlyConfigured:
        capabilities = Capabilities()
    return timedelta(seconds=capabilities.settle_seconds)


def lookup_gap() -> timedelta:
    """How far apart two answers "we do not know that message" must be."""
    return timedelta(seconds=settings.SMS_LOOKUP_GAP_SECONDS)


def can_look_up(backend: BaseSmsBackend) -> bool:
    """A look-up proves something only if it can be told which account was asked."""
    return backend.capabilities.lookup_by_reference and bool(backend.account_fingerprint())


def ask_about(ids: Collection[int], gateway: str) -> None:
    """These messages of one gateway have just become unknown: have them looked up, if that is possible."""
    SentMessage.objects.filter(pk__in=ids, status=MessageStatus.UNKNOWN).update(
        next_lookup_at=_first_question(gateway), lookup_count=0, not_found_at=None
    )


def _first_question(gateway: str) -> datetime | None:
    try:
        backend = get_sms_backend(gateway)
    except ImproperlyConfigured:
        return timezone.now() + FIRST_LOOKUP  # it may be mended in time; the sweeper finds out
    return timezone.now() + min(FIRST_LOOKUP, settle_time(gateway)) if can_look_up(backend) else None
