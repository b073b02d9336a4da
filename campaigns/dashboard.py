"""
The figures of the dashboard: what was sent in a few days, how it arrived, and what it cost.

Read from the kept figures (`day_figures`), never counted: in one query, however large the log is, so that chart, tables
and totals tell of one moment. Days are those of the installation's calendar, the same for everybody who looks, and the
same that spending counts by. A message counts on the day on which it was last handed over, whenever the word of its
delivery came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from . import day_figures
from .figure_triggers import DAY_SUMS, DELAYS
from .models import BILLABLE, NO_DELAY, TAKEN, MessageStatus
from .sending.spending import end_of
from .spent import today

S = MessageStatus
#: Handed over, and will not arrive; and what no provider took.
NOT_DELIVERED = frozenset({S.UNDELIVERED, S.EXPIRED})
NOT_TAKEN = frozenset({S.REJECTED, S.FAILED})
#: What a period is called in addresses, and how many days it has.
PERIODS = {"today": 1, "7": 7, "30": 30}
USUAL_PERIOD = "7"
_HALF, _MOST = 0.5, 0.9
#: Of the database.
Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class Tally:
    """So many messages by what became of them."""

    statuses: Counter[str] = field(default_factory=Counter)
    delays: Counter[int] = field(default_factory=Counter)

    def add(self, status: str, messages: int, delay: int = NO_DELAY) -> None:
        self.statuses[status] += messages
        if delay != NO_DELAY:
            self.delays[delay] += messages

    def _sum(self, statuses: Iterable[str]) -> int:
        return sum(self.statuses[status] for status in statuses)

    @property
    def sent(self) -> int:
        """The provider took them, whatever followed."""
        return self._sum(TAKEN)

    @property
    def delivered(self) -> int:
        return self.statuses[S.DELIVERED]

    @property
    def waiting(self) -> int:
        """Taken, and nothing was said of them yet."""
        return self.statuses[S.SENT]

    @property
    def failed(self) -> int:
        """Will not arrive, whether a provider took them or not."""
        return self._sum(NOT_DELIVERED | NOT_TAKEN)

    @property
    def unknown(self) -> int:
        return self.statuses[S.UNKNOWN]

    @property
    def rate(self) -> float | None:
        """Delivered of those that were taken, in per cent; None where none was."""
        return 100 * self.delivered / self.sent if self.sent else None

    @property
    def half_within(self) -> float | None:
        """Seconds within which half of the delivered ones were reported; None where none was."""
        return quantile(self.delays, _HALF)

    @property
    def most_within(self) -> float | None:
        """The same for nine of ten."""
        return quantile(self.delays, _MOST)


@dataclass(frozen=True, slots=True)
class FailedFor:
    """How many did not arrive for one reason."""

    status: str
    reason: str
    messages: int


@dataclass(slots=True)
class Cost:
    """What was taken costs in one currency: `said` by providers; `expected`, by price list, where they say nothing."""

    currency: str
    said: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.said + self.expected


@dataclass(frozen=True, slots=True)
class Slot:
    """A day or an hour, and what was handed over in it."""

    start: datetime
    tally: Tally


@dataclass(slots=True)
class PeriodFigures:
    """Everything about one period. `uncosted_segments`: segments whose cost nobody knows."""

    first: date
    last: date
    total: Tally = field(default_factory=Tally)
    by_gateway: dict[str, Tally] = field(default_factory=dict)
    by_region: dict[str, Tally] = field(default_factory=dict)
    failures: list[FailedFor] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    segments: int = 0
    uncosted_segments: int = 0
    slots: list[Slot] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not any(self.total.statuses.values())

    @property
    def is_one_day(self) -> bool:
        return self.first == self.last


def period_figures(period: str, currencies: Mapping[str, str]) -> PeriodFigures:
    """The figures of one of `PERIODS`. `currencies`: in which each gateway's price list is."""
    last = today()
    found = PeriodFigures(last - timedelta(days=PERIODS[period] - 1), last)
    sums, slots = _read(found.first, found.last, "hour" if found.is_one_day else "day")
    _add_sums(found, sums, currencies)
    found.slots = _hours(found.last, slots) if found.is_one_day else _days(found.first, found.last, slots)
    return found


def quantile(delays: Mapping[int, int], share: float) -> float | None:
    """Seconds within which this share was delivered: exact to the step (`DELAYS`), even within it."""
    wanted = share * sum(delays.values())
    if not wanted:
        return None
    below = 0
    for step, count in sorted(delays.items()):
        if below + count >= wanted:
            if step == len(DELAYS):
                return float(DELAYS[-1])
            lower = DELAYS[step - 1] if step else 0
            return lower + (DELAYS[step] - lower) * (wanted - below) / count
        below += count
    return float(DELAYS[-1])


def _add_sums(found: PeriodFigures, rows: Rows, currencies: Mapping[str, str]) -> None:
    failures: Counter[tuple[str, str]] = Counter()
    costs: dict[str, Cost] = {}
    for gateway, region, status, reason, currency, delay, counted, segments, said, expected, uncosted in rows:
        messages = int(counted)  # PostgreSQL adds whole numbers up to decimals
        for tally in (
            found.total,
            found.by_gateway.setdefault(gateway, Tally()),
            found.by_region.setdefault(region, Tally()),
        ):
            tally.add(status, messages, delay)
        if status in NOT_DELIVERED | NOT_TAKEN:
            failures[status, reason] += messages
        if status in BILLABLE:
            found.segments += int(segments)
            found.uncosted_segments += int(uncosted)
            if said:
                costs.setdefault(currency, Cost(currency)).said += _money(said)
            if expected:
                price_currency = currencies.get(gateway, "")
                costs.setdefault(price_currency, Cost(price_currency)).expected += _money(expected)
    found.failures = [FailedFor(*key, messages) for key, messages in failures.most_common() if messages]
    found.costs = sorted(costs.values(), key=lambda cost: -cost.total)


def _days(first: date, last: date, rows: Rows) -> list[Slot]:
    tallies = {first + timedelta(days=n): Tally() for n in range((last - first).days + 1)}
    for day, status, messages in rows:
        tallies[day if isinstance(day, date) else date.fromisoformat(day)].add(status, int(messages))
    return [Slot(end_of(day - timedelta(days=1)), tally) for day, tally in tallies.items()]


def _hours(day: date, rows: Rows) -> list[Slot]:
    """What was handed over just before midnight may have been taken after it, and the other way round: at the ends."""
    start, end = end_of(day - timedelta(days=1)).astimezone(UTC), end_of(day).astimezone(UTC)
    first = start.replace(minute=0)
    count = -int((first - end) // timedelta(hours=1))
    tallies = [Tally() for _hour in range(count)]
    for hour, status, messages in rows:
        at = hour if isinstance(hour, datetime) else datetime.fromisoformat(hour)
        at = at if timezone.is_aware(at) else at.replace(tzinfo=UTC)
        tallies[min(max((at - first) // timedelta(hours=1), 0), count - 1)].add(status, int(messages))
    return [Slot(first + timedelta(hours=n), tally) for n, tally in enumerate(tallies)]


def _read(first: date, last: date, slot: str) -> tuple[Rows, Rows]:
    """
    The sums by everything but time, and the messages by `slot` (day or hour) and status.

    Both of one pass over the days, which is most of the work.
    """
    with connection.cursor() as cursor:
        cursor.execute(_query(slot), day_figures.day_parameters(first, last))
        rows = cursor.fetchall()
    sums = [row[2:] for row in rows if not row[0]]
    return sums, [(row[1], row[4], row[8]) for row in rows if row[0]]


def _query(slot: str) -> str:
    """Each row says first whether it is one of a slot."""
    keys = "gateway, region, status, reason, currency, delay"
    sums = ", ".join(f"SUM({name})" for name in DAY_SUMS)
    found = day_figures.rows_between()
    if connection.vendor == "postgresql":
        return (
            f"SELECT GROUPING(delay), {slot}, {keys}, {sums} FROM ({found}) AS found "  # noqa: S608
            f"GROUP BY GROUPING SETS (({keys}), ({slot}, status))"
        )
    return (
        f"WITH found AS MATERIALIZED ({found}) "  # noqa: S608
        f"SELECT 0, NULL, {keys}, {sums} FROM found GROUP BY {keys} "
        f"UNION ALL SELECT 1, {slot}, '', '', status, '', '', 0, SUM(messages), 0, 0, 0, 0 "
        f"FROM found GROUP BY {slot}, status"
    )


def _money(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(f"{value:.5f}")
