"""Not sending, on purpose: what waits becomes `suppressed`, with the reason."""

from __future__ import annotations

from django.db.models import CharField, F, Func, QuerySet
from django.utils import timezone

from sms_backends.phone_numbers import spellings

from .models import CANCELLABLE, MessageStatus, SentMessage, SuppressionReason
from .sending.bulk_update import update_rows


def waiting_for(canonical_number: str) -> QuerySet[SentMessage]:
    """What is queued or claimed for this number, found by the log's index of numbers."""
    return SentMessage.objects.filter(
        phone_number__in=spellings(canonical_number), canonical_number=canonical_number, status__in=CANCELLABLE
    )


def leave_unsent(waiting: QuerySet[SentMessage], reason: SuppressionReason) -> int:
    """Do not send these, which must be limited to queued or claimed ones. Returns how many it were."""
    return waiting.update(
        status=MessageStatus.SUPPRESSED,
        reason=reason,
        reason_text="",
        claim_token="",
        lease_expires_at=None,
        status_at=timezone.now(),
    )


def waiting_among(messages: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
    """
    Those of them that are queued or claimed.

    Written so that no index of states serves it: for many people at once a database that has not counted its rows would
    read all that waits instead of theirs.
    """
    state = Func(F("status"), template="(%(expressions)s || '')", output_field=CharField())
    return messages.alias(state=state).filter(state__in=[str(status) for status in CANCELLABLE])


def leave_all_unsent(waiting: QuerySet[SentMessage], reason: SuppressionReason) -> int:
    """
    The same as `leave_unsent()` for the messages of many people. Returns how many it were.

    They are locked in the order of their ids, as workers lock them. Call it inside a transaction.
    """
    rows = list(waiting.select_for_update(of=("self",)).order_by("pk").values_list("pk", "status"))
    return update_rows(
        SentMessage,
        (),
        rows,
        keys=("id", "status"),
        status=MessageStatus.SUPPRESSED,
        reason=reason,
        reason_text="",
        claim_token="",
        lease_expires_at=None,
        status_at=timezone.now(),
    )
