"""How long an unknown outcome may still change, and whether the provider can be asked about it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count, QuerySet
from django.utils import timezone

from campaigns.models import MessageStatus, SentMessage
from sms_backends import BaseSmsBackend, Capabilities, get_sms_backend

#: The first question comes soon: what was taken is known at once. "Not there" does not count before the settle time.
FIRST_LOOKUP = timedelta(seconds=5)
#: A provider that has just failed is given time.
FIRST_REPETITION = timedelta(seconds=30)


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


def can_repeat(backend: BaseSmsBackend) -> bool:
    """Whether the account takes a repeated request once. It must be told whether it is still the same account."""
    return backend.capabilities.idempotent_submit and bool(backend.account_fingerprint())


def ask_about(ids: Collection[int], gateway: str) -> None:
    """These messages of one gateway have just become unknown: have them settled, if that is possible."""
    SentMessage.objects.filter(pk__in=ids, status=MessageStatus.UNKNOWN).update(
        next_lookup_at=_first_question(gateway), lookup_count=0, not_found_at=None
    )


def _first_question(gateway: str) -> datetime | None:
    try:
        backend = get_sms_backend(gateway)
    except ImproperlyConfigured:
        return timezone.now() + FIRST_LOOKUP  # it may be mended in time; the sweeper finds out
    if can_look_up(backend):
        return timezone.now() + min(FIRST_LOOKUP, settle_time(gateway))
    return timezone.now() + min(FIRST_REPETITION, settle_time(gateway)) if can_repeat(backend) else None


class Settling(NamedTuple):
    """How many unknown messages settle by themselves, by a question or by being offered again as they were."""

    asked: int
    repeated: int


def being_settled(unknown: QuerySet[SentMessage]) -> Settling:
    """Of these messages, by what their gateways can do now; the rest waits for an operator."""
    due = unknown.filter(next_lookup_at__isnull=False).order_by()
    asked = repeated = 0
    for gateway, number in due.values_list("gateway").annotate(n=Count("pk", distinct=True)):
        try:
            backend = get_sms_backend(gateway)
        except ImproperlyConfigured:
            continue  # said on every page; nothing is asked before it is mended
        if can_look_up(backend):
            asked += number
        elif can_repeat(backend):
            repeated += number
    return Settling(asked, repeated)
