"""What a message is expected to cost: the price of a segment by the beginning of the number, the longest one wins."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from .models import Campaign, Figure, GatewayPrice, GatewayState

#: What amounts of money are stored in.
STEP = Decimal("0.00001")
CENT = Decimal("0.01")


class PriceTable:
    """The prices of a gateway, made for looking up many numbers. `currency` is that of all of them."""

    def __init__(self, per_segment: Mapping[str, Decimal], currency: str = "") -> None:
        self._per_segment = dict(per_segment)
        self._lengths = sorted({len(prefix) for prefix in per_segment}, reverse=True)
        self._known: dict[tuple[str, int], Decimal | None] = {}
        #: Where to cut a number (with its plus sign) for it to say all that matters to its price.
        self.cut = 1 + max(self._lengths, default=0)
        self.currency = currency
        #: What a segment without a price counts for towards a limit; None where there are no prices at all.
        self.highest = max(per_segment.values(), default=None)

    def __bool__(self) -> bool:
        return bool(self._per_segment)

    def price(self, e164: str, segments: int) -> Decimal | None:
        """What so many segments to this number cost; None, which means "not known", where no prefix fits."""
        if not self._per_segment:
            return None
        key = (e164[: self.cut], segments)
        try:
            return self._known[key]
        except KeyError:
            found = self._known[key] = self._look_up(e164[1:], segments)
            return found

    def _look_up(self, digits: str, segments: int) -> Decimal | None:
        for length in self._lengths:
            price = self._per_segment.get(digits[:length])
            if price is not None:
                return price * segments
        return None

    def at_most(self, price: Decimal | None, segments: int) -> Decimal:
        """What a message counts for towards a limit: without a price of its own, the highest there is."""
        if price is not None:
            return price
        return (self.highest or Decimal(0)) * segments


def price_table(alias: str) -> PriceTable:
    """The prices of a gateway as they are now."""
    rows = GatewayPrice.objects.filter(gateway__alias=alias).values_list(
        "prefix", "per_segment", "gateway__price_currency"
    )
    found = list(rows)
    return PriceTable({prefix: price for prefix, price, _currency in found}, found[0][2] if found else "")


def money(amount: Decimal, currency: str = "") -> str:
    """An amount with its digits grouped, for example 4,998.75 EUR; fractions of a cent are rounded up."""
    # SQLite adds money up as floating point numbers: what is less than it stores is not there.
    rounded = amount.quantize(STEP).quantize(CENT, ROUND_CEILING)
    places = 0 if rounded == rounded.to_integral_value() else 2
    return f"{number_format(rounded, decimal_pos=places, force_grouping=True)} {currency}".strip()


def limit_problems(campaign: Campaign) -> list[str]:
    """Why a spend limit that this campaign is bound by cannot be kept, in words; empty when it can or there is none."""
    daily = GatewayState.objects.filter(alias=campaign.gateway, daily_spend_limit__isnull=False).exists()
    if (campaign.spend_limit is None and not daily) or price_table(campaign.gateway):
        return []
    if campaign.spend_limit is None:
        return [no_prices_for_the_day(campaign.gateway)]
    return [no_prices(campaign.gateway)]


def no_prices(alias: str) -> str:
    """That the limit of a campaign cannot be kept, and what to do."""
    return _(
        "There is a spend limit, but nobody knows what the gateway “%(gateway)s” charges. Enter its prices first, or "
        "remove the limit."
    ) % {"gateway": alias}


def no_prices_for_the_day(alias: str) -> str:
    """That the limit for the day of a gateway cannot be kept, and what to do."""
    return _(
        "The gateway “%(gateway)s” has a spend limit for each day, but nobody knows what it charges. Enter its prices "
        "first, or remove the limit."
    ) % {"gateway": alias}


def currency_problem(alias: str, before: str, after: str) -> str:
    """Why the currency of a gateway's prices must stay what it is, and what to do; empty when it may be changed."""
    if not before or before == after:
        return ""
    names = {"before": before, "after": after}
    # Amounts are kept as numbers, in the currency of their gateway.
    if Figure.objects.filter(gateway=alias).exclude(price=0).exists():
        return (
            _(
                "Messages with a price in %(before)s are in the delivery log, and their amounts would be called "
                "%(after)s. Set up a gateway of its own, under another name, for prices in another currency."
            )
            % names
        )
    daily = GatewayState.objects.filter(alias=alias, daily_spend_limit__isnull=False)
    if daily.exists() or Campaign.objects.filter(gateway=alias, spend_limit__isnull=False).exists():
        return (
            _("There are spend limits in %(before)s, which would become as many %(after)s. Remove them first.") % names
        )
    return ""
