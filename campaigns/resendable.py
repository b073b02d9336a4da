"""Who of a campaign was not reached and may be written to again."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from .models import Campaign, EventKind, MessageStatus, SentMessage
from .sending.doubt import settle_time

#: What an operator can have sent again, in the order of the form.
RESENDABLE = (MessageStatus.FAILED, MessageStatus.UNDELIVERED, MessageStatus.UNKNOWN)
#: They have it, or will have it as far as anybody knows (a receipt that never came is no reason to send again).
REACHED = frozenset({MessageStatus.SENT, MessageStatus.DELIVERED})
#: How often the same text can be sent again in children of children; each is a look back at every hand-over.
GENERATIONS = 3


def reached_before() -> Q:
    """For rows of a child: one of the messages it was written in place of has reached its person after all."""
    found = Q()
    for generation in range(1, GENERATIONS + 1):
        above = "__".join(["superseded_by"] * generation)
        found |= Q(Exists(SentMessage.objects.filter(status__in=REACHED, **{above: OuterRef("pk")})))
    return found


def resendable(campaign: Campaign, statuses: Collection[str] = RESENDABLE) -> QuerySet[SentMessage]:
    """
    The messages of a campaign that may be sent again in a child.

    Left out are the unknown that are still being looked up, may still settle or were left as they are by an operator,
    and people who are not among the contacts any more, or only in the archive.
    """
    wanted = set(statuses) & set(RESENDABLE)
    settled_before = timezone.now() - settle_time(campaign.launch["gateway"])
    undecided = Q(next_lookup_at=None, status_at__lte=settled_before) & ~Q(events__kind=EventKind.LEFT)
    return (
        SentMessage.objects.filter(campaign=campaign, status__in=wanted, superseded_by=None, contact__isnull=False)
        .filter(~Q(status=MessageStatus.UNKNOWN) | undecided, contact__archived_at__isnull=True)
        .exclude(reached_before())
    )


def resendable_counts(campaign: Campaign) -> dict[MessageStatus, int]:
    """How many people each choice would write to, opted-out ones included, without those where nobody would."""
    counted = dict(resendable(campaign).order_by().values_list("status").annotate(n=Count("pk", distinct=True)))
    return {status: counted[status] for status in RESENDABLE if status in counted}


def resend_sums(campaign: Campaign, statuses: Collection[str]) -> tuple[int, int, Decimal | None]:
    """
    How many people such a choice would write to, opted-out ones included, in how many segments, and the price.

    The price is what was expected of the same messages before; None if that is not known of one of them.
    """
    chosen = SentMessage.objects.filter(pk__in=resendable(campaign, statuses).order_by().values("pk"))
    found = chosen.aggregate(
        people=Count("pk"), priced=Count("price"), segments=Sum("segment_count"), price=Sum("price")
    )
    is_known = found["people"] == found["priced"]
    return found["people"], found["segments"] or 0, (found["price"] or Decimal(0)) if is_known else None
