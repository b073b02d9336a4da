"""
Spend limits: of a campaign altogether, and of a gateway for each day. They stop claiming, not sending halfway.

What was spent is not counted but kept (`Figure`): the price of all that is claimed, being sent, taken or unknown. A
message that goes back to the queue or is refused gives its money back by itself. A claim that is bound by a limit locks
the row in which it stands, so that all claims under that limit go one after the other, and takes only what fits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import audit, lifecycle
from campaigns.models import (
    Campaign,
    CampaignStatus,
    Figure,
    GatewayState,
    MessageStatus,
    SentMessage,
)
from campaigns.prices import PriceTable, money, no_prices, price_table
from campaigns.spent import Spent, spent_by_campaign, spent_on, today

#: While what others have claimed stands in the way, it may still come back: when to look again, in seconds.
AGAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Bound:
    """The spend limits that a claim is bound by: of a campaign, and for the day of these gateways. False if none."""

    campaign_id: int | None = None
    gateways: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.campaign_id is not None or bool(self.gateways)


def bound_of(campaign: Campaign, limited: Collection[str]) -> Bound:
    """What claims of this campaign are bound by. `limited` are the gateways that have a limit for each day."""
    alias = campaign.launch["gateway"]
    return Bound(
        campaign.pk if campaign.spend_limit is not None else None, frozenset({alias} if alias in limited else ())
    )


class Cost(NamedTuple):
    """What a message costs as far as is known."""

    price: Decimal | None
    segments: int


class LimitReached(Exception):
    """Not even the first waiting message may go. `met` are the limits in its way, and what the message costs."""

    def __init__(self, met: list[tuple[Purse, Cost]]) -> None:
        super().__init__()
        self.met = met


@dataclass(slots=True)
class Purse:
    """A spend limit, what of it is gone, and the prices by which it is counted."""

    source: Campaign | GatewayState
    limit: Decimal
    prices: PriceTable
    spent: Spent
    taken: Decimal = Decimal(0)
    is_short: bool = False

    def concerns(self, alias: str) -> bool:
        return isinstance(self.source, Campaign) or self.source.alias == alias

    def lets(self, cost: Cost) -> bool:
        """Whether this message fits beside everything that is spent or reserved."""
        return bool(self.prices) and self.spent.total + self.taken + self.prices.at_most(*cost) <= self.limit

    def may_let(self, cost: Cost) -> bool:
        """Whether it would fit if all that is on its way came back."""
        return bool(self.prices) and self.spent.settled + self.prices.at_most(*cost) <= self.limit


def end_of(day: date) -> datetime:
    """When the next day begins."""
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min), timezone.get_default_timezone())


def affordable(bound: Bound, ids: list[int], day: date) -> list[int]:
    """
    Those of these waiting messages, in their order, that fit into the limits. Only inside the claim's transaction.

    Locks the rows in which the limits stand, the campaign's first, until that transaction is over. Each limit lets the
    first messages go and none after one that does not fit. Raises LimitReached when that leaves nothing.
    """
    if not bound or not ids:
        return ids
    purses = list(_purses(bound, day))
    rows = SentMessage.objects.filter(pk__in=ids).order_by("pk")
    fitting: list[int] = []
    met: list[tuple[Purse, Cost]] = []
    for pk, alias, price, segments in rows.values_list("pk", "gateway", "price", "segment_count"):
        cost = Cost(price, segments)
        concerned = [purse for purse in purses if purse.concerns(alias)]
        if any(purse.is_short for purse in concerned):
            continue
        if short := [purse for purse in concerned if not purse.lets(cost)]:
            for purse in short:
                purse.is_short = True
                met.append((purse, cost))
            continue
        for purse in concerned:
            purse.taken += purse.prices.at_most(*cost)
        fitting.append(pk)
    if not fitting:
        raise LimitReached(met)
    return fitting


def _purses(bound: Bound, day: date) -> Iterable[Purse]:
    # Not FOR UPDATE: each change of a message refers to its campaign, and those that record answers must not wait.
    if bound.campaign_id is not None:
        yield from _campaign_purses(Campaign.objects.select_for_update(no_key=True), bound.campaign_id)
    for alias in sorted(bound.gateways):
        yield from _gateway_purses(alias, day)


def _campaign_purses(campaigns: QuerySet[Campaign], pk: int) -> Iterable[Purse]:
    """The locked campaign's, if it has a limit. The figures are read after the lock was got."""
    for campaign in campaigns.filter(pk=pk, spend_limit__isnull=False):
        assert campaign.spend_limit is not None
        prices = price_table(campaign.launch["gateway"])
        yield Purse(campaign, campaign.spend_limit, prices, spent_by_campaign(campaign, prices))


def _gateway_purses(alias: str, day: date) -> Iterable[Purse]:
    states = GatewayState.objects.select_for_update(no_key=True)
    for state in states.filter(alias=alias, daily_spend_limit__isnull=False):
        assert state.daily_spend_limit is not None
        prices = price_table(alias)
        yield Purse(state, state.daily_spend_limit, prices, spent_on(day, alias, prices))


def stop_at(reached: LimitReached) -> float:
    """
    Pause the campaign, or let the gateway rest until the next day. Returns in how many seconds to ask again.

    Looks once more, under lock: while messages on their way may still come back, everybody waits for them.
    """
    for purse, cost in reached.met:
        if isinstance(purse.source, Campaign):
            _stop_campaign(purse.source.pk, cost)
        else:
            _stop_gateway(purse.source.alias, cost)
    return AGAIN_SECONDS


def _stop_campaign(pk: int, cost: Cost) -> None:
    with transaction.atomic():
        for purse in _campaign_purses(Campaign.objects.select_for_update(), pk):
            campaign = purse.source
            assert isinstance(campaign, Campaign)
            if campaign.status == CampaignStatus.SENDING and not purse.may_let(cost):
                lifecycle.pause(campaign, actor=None, reason=_in_words(purse, campaign, cost), by_engine=True)


def _in_words(purse: Purse, campaign: Campaign, cost: Cost) -> str:
    if not purse.prices:
        return no_prices(campaign.launch["gateway"])
    waiting = Figure.objects.filter(campaign=campaign, status=MessageStatus.QUEUED).aggregate(n=Sum("messages"))["n"]
    sentence = _(
        "The spend limit of %(limit)s is reached: %(spent)s spent or reserved, the next message costs %(next)s."
    )
    return f"{sentence % _amounts(purse, cost)} {_waiting(waiting or 0)}"


def _amounts(purse: Purse, cost: Cost) -> dict[str, str]:
    currency = purse.prices.currency
    return {
        "limit": money(purse.limit, currency),
        "spent": money(purse.spent.total, currency),
        "next": money(purse.prices.at_most(*cost), currency),
    }


def _waiting(number: int) -> str:
    count = number_format(number, force_grouping=True)
    return ngettext("%(count)s message waits.", "%(count)s messages wait.", number) % {"count": count}


def _stop_gateway(alias: str, cost: Cost) -> None:
    day = today()
    with transaction.atomic():
        for purse in _gateway_purses(alias, day):
            if purse.may_let(cost) or not purse.prices:
                continue  # a gateway whose limit cannot be kept is closed already
            GatewayState.objects.filter(alias=alias).update(spent_until=end_of(day))
            audit.record("gateway_spent", subject=alias, details=_amounts(purse, cost))
