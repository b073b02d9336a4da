"""Asking for delivery receipts where a provider can be asked, in bulk and spaced out; pushed ones come on their own."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Case, F, Value, When
from django.utils import timezone

from campaigns import receipts
from campaigns.models import MessageStatus, SentMessage
from sms_backends import Capabilities, gateways, get_sms_backend

from .slots import request_slots

logger = logging.getLogger(__name__)

BATCH = 100
#: For one round of questions: far below the task queue's own limit, which would kill the sweeper.
ROUND_SECONDS = 30.0
#: Waits between questions about one message, in seconds; after the last one it is not asked again.
POLL_SECONDS = (5, 15, 60, 300, 1800, 7200, 21600, 43200, 86400)
#: After how long a gateway that can be asked is first asked.
FIRST_POLL = timedelta(seconds=10)
FIRST_POLL_PRETENDING = timedelta(seconds=2)


#: After so long without a word from a provider that reports by itself, its receipt is overdue.
PUSH_WAIT = timedelta(days=3)


def first_poll(capabilities: Capabilities) -> timedelta | None:
    """
    How long after a message was taken its receipt is first asked for.

    Where nobody can be asked, when it must have come by itself; None where none is to be expected.
    """
    if not capabilities.receipts_poll:
        return PUSH_WAIT if capabilities.receipts_push else None
    return FIRST_POLL_PRETENDING if capabilities.pretends else FIRST_POLL


def poll_receipts(limit: int = 5000) -> int:
    """Ask every gateway that can be asked about the messages that are due. Returns how many receipts came."""
    give_up = time.monotonic() + ROUND_SECONDS
    return sum(_poll_gateway(alias, limit, give_up) for alias in gateways)


def give_up_waiting(limit: int = 5000) -> int:
    """Receipts that were to come by themselves and did not are overdue. Returns how many."""
    asked = [alias for alias in gateways if _can_be_asked(alias)]
    due = SentMessage.objects.filter(next_poll_at__lte=timezone.now()).exclude(gateway__in=asked)
    ids = list(due.order_by("next_poll_at").values_list("pk", flat=True)[:limit])
    overdue = SentMessage.objects.filter(pk__in=ids, status=MessageStatus.SENT).update(receipt_overdue=True)
    SentMessage.objects.filter(pk__in=ids).update(next_poll_at=None)
    return overdue


def _can_be_asked(alias: str) -> bool:
    try:
        return get_sms_backend(alias).capabilities.receipts_poll
    except ImproperlyConfigured:
        return True  # perhaps, once it is mended


def _poll_gateway(alias: str, limit: int, give_up: float) -> int:
    try:
        backend = get_sms_backend(alias)
    except ImproperlyConfigured:
        return 0  # said on every page already
    if not backend.capabilities.receipts_poll:
        return 0
    found = 0
    due = SentMessage.objects.filter(gateway=alias, next_poll_at__lte=timezone.now(), status=MessageStatus.SENT)
    rows = list(
        due.order_by("next_poll_at").values_list("pk", "provider_message_id", "phone_number", "poll_count")[:limit]
    )
    for start in range(0, len(rows), BATCH):
        if time.monotonic() > give_up:
            break
        batch = rows[start : start + BATCH]
        try:
            with request_slots(backend) as granted:
                if not granted:
                    break  # sending needs them all; asked again with the next sweep
                _space_out(batch)
                said = backend.fetch_receipts([(provider_id, number) for _pk, provider_id, number, _n in batch])
            found += receipts.receive(alias, said)
        except Exception as error:
            # Of whatever kind: it must not keep the other gateways from being asked.
            logger.warning("Gateway %s could not be asked for receipts: %s", alias, type(error).__name__, exc_info=True)
            break
    return found


def _space_out(batch: Sequence[tuple[int, str, str, int]]) -> None:
    """
    Set the next question before asking, so that two sweepers do not ask twice and a crash asks later.

    After the last question the receipt is overdue, unless the answer brings it.
    """
    now = timezone.now()
    times = [
        When(poll_count=count, then=Value(now + timedelta(seconds=seconds)))
        for count, seconds in enumerate(POLL_SECONDS)
    ]
    SentMessage.objects.filter(pk__in=[pk for pk, *_rest in batch]).update(
        next_poll_at=Case(*times, default=Value(None)),
        receipt_overdue=Case(When(poll_count__gte=len(POLL_SECONDS), then=Value(True)), default=F("receipt_overdue")),
        poll_count=F("poll_count") + 1,
    )
