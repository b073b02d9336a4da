"""
What can be printed and passed on about one campaign: figures, countries, gateways, times to delivery, cost, answers.

What the database keeps anyhow (`Figure`) is read with each look. The rest has to be counted from the rows of the
campaign: at once for small ones, in the background for others, and again only when something has changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Func, IntegerField, Sum
from django.utils import timezone

from .brakes import opt_outs_since_launch
from .models import (
    RESERVED,
    TAKEN,
    Campaign,
    CampaignMinute,
    CampaignReport,
    Figure,
    Meaning,
    MessageStatus,
    SentMessage,
)
from .prices import price_table
from .reports import Figures, campaign_figures
from .wakeups import wake

S = MessageStatus
#: Campaigns up to this size are counted in the request: some tens of milliseconds.
AT_ONCE = 20_000
#: What is counted in the background is asked for no more often than this, and trusted no longer than that.
ASK_AGAIN = timedelta(minutes=1)
TRUSTED = timedelta(hours=1)
#: Times to delivery are shown in these classes: below so many seconds each, and the rest.
CLASSES = (5, 15, 60, 300, 1800, 7200, 86_400)
NOT_DELIVERED = frozenset({S.UNDELIVERED, S.EXPIRED, S.REJECTED, S.FAILED})


@dataclass(slots=True)
class Share:
    """What became of the messages to one country, or through one gateway."""

    key: str
    messages: int = 0
    sent: int = 0
    delivered: int = 0
    not_delivered: int = 0
    left_out: int = 0
    segments: int = 0
    price: Decimal = Decimal(0)

    @property
    def percent(self) -> float | None:
        """Delivered, of those that were sent; None where none was."""
        return 100 * self.delivered / self.sent if self.sent else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What providers say that so many messages cost, in one currency."""

    amount: Decimal
    currency: str
    messages: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What had to be counted. Times are in seconds; `classes` are the numbers of `CLASSES` and the rest."""

    at: datetime
    median: int | None
    ninetieth: int | None
    classes: list[int]
    costs: list[Cost]
    opt_outs: int
    replies: int
    stops: int


@dataclass(frozen=True)
class Report:
    """All of it. `counted`: None while it is counted for the first time; `is_being_counted`: a newer one comes."""

    campaign: Campaign
    at: datetime
    figures: Figures
    by_country: list[Share]
    by_gateway: list[Share]
    currency: str
    counted: Counted | None
    is_being_counted: bool
    minutes: list[tuple[datetime, int]] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return sum(self.figures.messages[status] for status in TAKEN)

    @property
    def segments(self) -> int:
        return sum(share.segments for share in self.by_gateway)


def report_of(campaign: Campaign) -> Report:
    """The report as it can be told now."""
    figures = campaign_figures(campaign)
    counted, is_being_counted = _counted(campaign, figures)
    by_country, by_gateway = _shares(campaign)
    return Report(
        campaign=campaign,
        at=timezone.now(),
        figures=figures,
        by_country=by_country,
        by_gateway=by_gateway,
        currency=price_table(campaign.launch["gateway"]).currency,
        counted=counted,
        is_being_counted=is_being_counted,
        minutes=_minutes(campaign),
    )


def _shares(campaign: Campaign) -> tuple[list[Share], list[Share]]:
    """By country and by gateway, the largest first; in one query of the kept figures."""
    rows = (
        Figure.objects.filter(campaign=campaign)
        .order_by()
        .values_list("region", "gateway", "status")
        .annotate(n=Sum("messages"), parts=Sum("segments"), money=Sum("price"))
    )
    countries: dict[str, Share] = {}
    gateways: dict[str, Share] = {}
    for region, gateway, status, n, parts, money in rows:
        for share in (countries.setdefault(region, Share(region)), gateways.setdefault(gateway, Share(gateway))):
            share.messages += n
            share.sent += n if status in TAKEN else 0
            share.delivered += n if status == S.DELIVERED else 0
            share.not_delivered += n if status in NOT_DELIVERED else 0
            share.left_out += n if status in {S.SUPPRESSED, S.CANCELLED} else 0
            share.segments += parts if status in TAKEN else 0
            share.price += money if status in RESERVED else 0
    return _largest_first(countries.values()), _largest_first(gateways.values())


def _largest_first(shares: Iterable[Share]) -> list[Share]:
    return sorted((share for share in shares if share.messages), key=lambda share: (-share.messages, share.key))


def _minutes(campaign: Campaign) -> list[tuple[datetime, int]]:
    """How many were handed over within each minute in which it was sent."""
    rows = CampaignMinute.objects.filter(campaign=campaign).order_by("minute").values_list("minute", "handed_over")
    found, before = [], 0
    for minute, so_far in rows:
        found.append((minute, max(so_far - before, 0)))
        before = so_far
    return found


# --- what must be counted --------------------------------------------------------------------------------------------


def _counted(campaign: Campaign, figures: Figures) -> tuple[Counted | None, bool]:
    """What is known, and whether a newer count was asked for."""
    kept, _is_new = CampaignReport.objects.get_or_create(campaign=campaign)
    if _is_fresh(kept, figures):
        return _read(kept), False
    if figures.audience <= AT_ONCE:
        return _read(write(campaign)), False
    now = timezone.now()
    asked = CampaignReport.objects.filter(pk=kept.pk).exclude(asked_at__gt=now - ASK_AGAIN).update(asked_at=now)
    if asked:
        wake("write_report", campaign.pk)
    return _read(kept), True


def _is_fresh(kept: CampaignReport, figures: Figures) -> bool:
    """Nothing changed since it was counted, as far as the kept figures tell; answers and opt-outs they do not."""
    if kept.made_at is None or kept.made_at < timezone.now() - TRUSTED:
        return False
    return bool(kept.known.get("messages") == figures.messages)


def write(campaign: Campaign) -> CampaignReport:
    """Count anew and keep it."""
    messages = campaign_figures(campaign).messages  # before the rows: what changes meanwhile is counted again
    seconds = _delivery_seconds(campaign)
    meanings = dict(campaign.replies.order_by().values_list("meaning").annotate(n=Count("pk")))
    known = {
        "messages": messages,
        "median": percentile(seconds, 50),
        "ninetieth": percentile(seconds, 90),
        "classes": in_classes(seconds),
        "costs": _costs(campaign),
        "opt_outs": opt_outs_since_launch(campaign),
        "replies": sum(meanings.values()),
        "stops": meanings.get(Meaning.STOP, 0),
    }
    kept, _is_new = CampaignReport.objects.update_or_create(
        campaign=campaign, defaults={"known": known, "made_at": timezone.now()}
    )
    return kept


def _read(kept: CampaignReport) -> Counted | None:
    if kept.made_at is None:
        return None
    known = kept.known
    return Counted(
        at=kept.made_at,
        median=known["median"],
        ninetieth=known["ninetieth"],
        classes=known["classes"],
        costs=[Cost(Decimal(amount), currency, number) for amount, currency, number in known["costs"]],
        opt_outs=known["opt_outs"],
        replies=known["replies"],
        stops=known["stops"],
    )


def _costs(campaign: Campaign) -> list[tuple[str, str, int]]:
    rows = SentMessage.objects.filter(campaign=campaign, cost__isnull=False).order_by()
    found = rows.values_list("currency").annotate(amount=Sum("cost"), n=Count("pk"))
    return [(str(amount), currency, number) for currency, amount, number in found]


class _SecondsBetween(Func):
    """Whole seconds from the second time to the first."""

    output_field = IntegerField()
    template = "FLOOR(EXTRACT(EPOCH FROM (%(expressions)s)))::int"
    arg_joiner = " - "

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # A thousandth more: a day's fraction is not exact, and 9.9999 s were 10.
        template = "CAST((julianday(%(expressions)s)) * 86400 + 0.001 AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") - julianday(", **extra)


def _delivery_seconds(campaign: Campaign) -> dict[int, int]:
    """Seconds from handing over to the receipt -> how many messages."""
    delivered = SentMessage.objects.filter(
        campaign=campaign, status=S.DELIVERED, sent_at__isnull=False, status_at__isnull=False
    )
    took = delivered.annotate(seconds=_SecondsBetween(F("status_at"), F("sent_at"))).order_by()
    found: dict[int, int] = {}
    for seconds, number in took.values_list("seconds").annotate(n=Count("pk")):
        known = max(seconds, 0)  # a receipt may be stamped by another clock
        found[known] = found.get(known, 0) + number
    return found


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """The least value that so many per cent do not exceed; None for none at all."""
    wanted = -(-sum(counts.values()) * percent // 100)
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted:
            return value
    return None


def in_classes(counts: Mapping[int, int]) -> list[int]:
    """How many values lie in each of `CLASSES`, and in none of them."""
    found = [0] * (len(CLASSES) + 1)
    for value, number in counts.items():
        found[next((index for index, limit in enumerate(CLASSES) if value < limit), len(CLASSES))] += number
    return found
