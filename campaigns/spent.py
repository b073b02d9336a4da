"""What was spent, by the kept figures: all that is claimed, being sent, taken or unknown."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import QuerySet, Sum
from django.utils import timezone

from .models import BILLABLE, RESERVED, Campaign, Figure
from .prices import STEP, PriceTable


class Spent(NamedTuple):
    """Money that is gone or may be, and money reserved for what is on its way to the provider right now."""

    settled: Decimal = Decimal(0)
    on_the_way: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.settled + self.on_the_way


def today() -> date:
    """The day that spending counts for, by the calendar of the installation."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def spent_by_campaign(campaign: Campaign, prices: PriceTable) -> Spent:
    """What a campaign has cost or may still cost, in the currency of these prices."""
    return _spent(Figure.objects.filter(campaign=campaign), prices)


def spent_on(day: date, alias: str, prices: PriceTable) -> Spent:
    """The same of a gateway on one day, single messages included."""
    return _spent(Figure.objects.filter(gateway=alias, day=day), prices)


def _spent(figures: QuerySet[Figure], prices: PriceTable) -> Spent:
    sums = (
        figures.filter(status__in=RESERVED)
        .order_by()
        .values_list("status")
        .annotate(known=Sum("price"), unpriced=Sum("unpriced_segments"))
    )
    amounts = {status: known + prices.at_most(None, unpriced) for status, known, unpriced in sums}
    settled = sum((amount for status, amount in amounts.items() if status in BILLABLE), Decimal(0))
    # SQLite adds money up as floating point numbers.
    return Spent(settled.quantize(STEP), (sum(amounts.values(), Decimal(0)) - settled).quantize(STEP))
