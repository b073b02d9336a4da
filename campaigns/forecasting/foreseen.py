"""A forecast as people read it: who, how much, how long, and what it will look like."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from django.utils.translation import gettext as _

from campaigns.audience import Planned, plan
from campaigns.composing import TemplateError
from campaigns.languages import wording
from campaigns.models import Campaign, Contact, Forecast, ForecastStatus
from campaigns.preflight import group_ids, launch_problems
from campaigns.prices import PriceTable, money, price_table
from campaigns.smart_groups import ConditionsError

from . import running
from .findings import Finding, findings_of
from .tally import Tally
from .words import messages, segments


@dataclass(frozen=True, slots=True)
class Country:
    """What goes to one country: people, segments, the money that is known, and segments without a price."""

    code: str
    people: int
    segments: int
    cost: Decimal
    unpriced: int


@dataclass(frozen=True, slots=True)
class Size:
    """People whose text has so many segments. `share` is per cent of the most common size."""

    encoding: str
    segments: int
    people: int
    share: int


@dataclass
class Foreseen:
    """
    What launching the campaign would do. `audience` = `recipients` + everybody in `suppressed` (reason -> people).

    `cost` is what those are expected to cost whose price is known, `unpriced` counts the others. `problems` keep it
    from being launched.
    """

    campaign: Campaign
    tally: Tally
    prices: PriceTable
    problems: list[str] = field(default_factory=list)

    @property
    def audience(self) -> int:
        return self.tally.people

    @property
    def recipients(self) -> int:
        return self.tally.recipients

    @property
    def segments(self) -> int:
        return self.tally.segments

    @property
    def suppressed(self) -> Counter[str]:
        return self.tally.left_out

    @property
    def languages(self) -> Counter[str]:
        return self.tally.languages

    @property
    def usual_zone(self) -> int:
        return self.tally.usual_zone

    @property
    def cost(self) -> Decimal:
        return self.tally.cost

    @property
    def unpriced(self) -> int:
        return self.tally.unpriced_people if self.prices else self.recipients

    @property
    def unpriced_segments(self) -> int:
        return self.tally.unpriced_segments

    @property
    def at_most(self) -> Decimal:
        """The cost with those without a price counted at the highest, as spend limits do."""
        return self.cost + self.prices.at_most(None, self.unpriced_segments)

    @property
    def known_cost(self) -> Decimal | None:
        """What all of it costs; None where that is not known of every message."""
        return None if self.unpriced else self.cost

    @cached_property
    def samples(self) -> list[Planned]:
        """Some texts as they will be, one in each language at least where few are shown."""
        contacts = Contact.objects.filter(pk__in={*self.tally.samples, *self.tally.speakers.values()}).order_by("pk")
        said = wording(self.campaign.body, self.campaign.texts)
        with running.usual_language():
            return plan(contacts, said, kind=self.campaign.kind)

    @cached_property
    def findings(self) -> list[Finding]:
        """What the figures themselves warn of."""
        return findings_of(self.campaign, self.tally, self.prices)

    @property
    def warnings(self) -> list[str]:
        return [str(finding) for finding in self.findings]

    @property
    def countries(self) -> list[Country]:
        """The most people first."""
        tally = self.tally
        return [
            Country(code, n, tally.country_segments[code], tally.costs.get(code, Decimal(0)), tally.unpriced[code])
            for code, n in tally.countries.most_common()
        ]

    @property
    def sizes(self) -> list[Size]:
        """The histogram of segments."""
        most = max(self.tally.sizes.values(), default=1)
        found = [
            Size(encoding, int(number), people, max(1, round(100 * people / most)))
            for (encoding, number), people in self.tally.sizes.items()
        ]
        return sorted(found, key=lambda size: (size.encoding, size.segments))

    def in_words(self) -> str:
        """For a button: "9,512 messages (10,840 segments, about 27,100 RUB)"."""
        size = segments(self.segments)
        if self.prices and self.unpriced:
            cost = _("at most %(cost)s") % {"cost": money(self.at_most, self.prices.currency)}
        elif self.prices:
            cost = _("about %(cost)s") % {"cost": money(self.cost, self.prices.currency)}
        else:
            cost = _("cost not known")
        return _("%(messages)s (%(segments)s, %(cost)s)") % {
            "messages": messages(self.recipients),
            "segments": size,
            "cost": cost,
        }


def read(forecast: Forecast, campaign: Campaign) -> Foreseen | None:
    """A forecast that is done; None for one that is not."""
    if forecast.status != ForecastStatus.DONE or forecast.result is None:
        return None
    return Foreseen(campaign, Tally.read(forecast.result), price_table(campaign.gateway))


def foresee(campaign: Campaign) -> Foreseen:
    """
    What launching this campaign now would do, counted to the end while the caller waits.

    A text or a group that cannot be read is among the problems, and nobody is counted.
    """
    try:
        forecast = running.begin(campaign, at_once=True)
    except (TemplateError, ConditionsError):
        problems = launch_problems(campaign, *group_ids(campaign))
        return Foreseen(campaign, Tally(), price_table(campaign.gateway), problems)
    found = read(forecast, campaign)
    if found is None:
        raise RuntimeError(forecast.problem or "The forecast was taken over by somebody else.")
    found.problems = launch_problems(campaign, *group_ids(campaign), running.known_of(forecast))
    return found
