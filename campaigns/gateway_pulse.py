"""
How each gateway has been answering of late: taken, refused, unclear, and how long it took.

The sweeper adds up the latest attempts by the minute in which they were begun (`GatewayMinute`), so that nobody who
sends has more to write and nobody who looks has much to read. The last minutes are added up anew each time: their
answers come late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncMinute
from django.utils import timezone

from sms_backends import Outcome

from .models import Attempt, GatewayMinute

#: What "of late" means.
WINDOW = timedelta(minutes=15)
#: Minutes whose requests may still be answered: a request ends by its deadline.
UNSETTLED = timedelta(minutes=3)
#: Minutes are kept so long: for the last error.
KEPT = timedelta(days=1)
#: Where it is not known with which attempt the last minutes began: only so many are looked at.
FIRST_LOOK = 50_000


@dataclass(frozen=True, slots=True)
class Pulse:
    """A gateway over the last 15 minutes, and the last error of the day."""

    taken: int = 0
    refused: int = 0
    unclear: int = 0
    waited: timedelta = timedelta()
    error: str = ""
    error_at: datetime | None = None

    @property
    def answered(self) -> int:
        return self.taken + self.refused + self.unclear

    @property
    def success(self) -> float | None:
        """Taken of those that came to an end, in per cent; None where none did."""
        return 100 * self.taken / self.answered if self.answered else None

    @property
    def seconds_to_accept(self) -> float | None:
        """From the request to the provider's yes, on average."""
        return self.waited.total_seconds() / self.taken if self.taken else None


def record_pulse() -> None:
    """Add up the last minutes. Two at once do the same twice."""
    now = timezone.now()
    since = (now - UNSETTLED).replace(second=0, microsecond=0)
    latest = Attempt.objects.filter(pk__gt=_last_before(since), started_at__gte=since)
    minutes = [*_minutes(latest)]
    errors = _errors(latest)
    for one in minutes:
        one.error, one.error_at = errors.get((one.gateway, one.minute), ("", None))
    with transaction.atomic():
        GatewayMinute.objects.filter(minute__lt=now - KEPT).delete()
        GatewayMinute.objects.bulk_create(
            minutes,
            update_conflicts=True,
            unique_fields=["minute", "gateway"],
            update_fields=["taken", "refused", "unclear", "waited", "last_attempt", "error", "error_at"],
        )


def pulses() -> dict[str, Pulse]:
    """By gateway; those that nothing was handed to are missing."""
    since = timezone.now() - WINDOW
    found: dict[str, Pulse] = {}
    failed = GatewayMinute.objects.filter(error_at__isnull=False).order_by()
    last_errors = failed.values("gateway").annotate(last=Max("pk")).values("last")
    for one in GatewayMinute.objects.filter(Q(minute__gte=since) | Q(pk__in=last_errors)).order_by("minute"):
        before = found.get(one.gateway, Pulse())
        error, error_at = (one.error, one.error_at) if one.error_at else (before.error, before.error_at)
        if one.minute < since:
            found[one.gateway] = Pulse(error=error, error_at=error_at)
            continue
        found[one.gateway] = Pulse(
            before.taken + one.taken,
            before.refused + one.refused,
            before.unclear + one.unclear,
            before.waited + one.waited,
            error,
            error_at,
        )
    return found


def _last_before(since: datetime) -> int:
    """An attempt before the first of these minutes: keys grow with time, and there is no index by time."""
    known = GatewayMinute.objects.filter(minute__lt=since).aggregate(last=Max("last_attempt"))["last"]
    if known is not None:
        return int(known)
    newest = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return max(0, newest - FIRST_LOOK)


def _minutes(latest: QuerySet[Attempt]) -> list[GatewayMinute]:
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    taken = Q(outcome=Outcome.ACCEPTED)
    added_up = (
        latest.order_by()
        .annotate(at=TruncMinute("started_at", tzinfo=UTC))
        .values("gateway", "at")
        .annotate(
            taken=Count("pk", filter=taken),
            refused=Count("pk", filter=Q(outcome=Outcome.REJECTED)),
            unclear=Count("pk", filter=Q(outcome=Outcome.UNKNOWN)),
            waited=Sum(took, filter=taken),
            last=Max("pk"),
        )
    )
    return [
        GatewayMinute(
            gateway=row["gateway"],
            minute=row["at"],
            taken=row["taken"],
            refused=row["refused"],
            unclear=row["unclear"],
            waited=row["waited"] or timedelta(),
            last_attempt=row["last"],
        )
        for row in added_up
    ]


def _errors(latest: QuerySet[Attempt]) -> dict[tuple[str, datetime], tuple[str, datetime]]:
    """The last error of each gateway and minute."""
    failed = latest.exclude(error_text="").order_by()
    last = failed.annotate(at=TruncMinute("started_at", tzinfo=UTC)).values("gateway", "at").annotate(last=Max("pk"))
    keys = {row["last"]: (row["gateway"], row["at"]) for row in last}
    found = Attempt.objects.filter(pk__in=keys).values_list("pk", "error_text", "started_at", "finished_at")
    return {keys[pk]: (text, finished or started) for pk, text, started, finished in found}
