"""
Figures that are kept, not counted: the database keeps them itself, with every change of the log.

A trigger on the table of messages adds what a statement changed to `Figure`, in the same transaction, whoever made the
change and by whatever means: no path can forget it (`figure_triggers`). PostgreSQL appends one row per key and
statement, so that workers never wait for each other; `fold()` sums them up. SQLite, which has one writer at a time,
adds to the rows in place.

What holds is the sum over all rows of a key. Whatever compares or mends does it in one statement, which sees one
moment, so neither keeps anybody from sending.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

from . import day_figures, figure_triggers, past_days
from .day_figures import DayDifference
from .figure_triggers import ADDED, FIGURES, KEYS, KEYS_LISTED, LOG, SUMS

_PRICE_PLACES = 5


class Sums(NamedTuple):
    """What is kept for a key."""

    messages: int
    segments: int
    price: Decimal
    unpriced_segments: int


class Difference(NamedTuple):
    """A key for which the kept figures are not what counting gives."""

    campaign_id: int | None
    gateway: str
    region: str
    day: date | None
    status: str
    reason: str
    kept: Sums
    counted: Sums

    def __str__(self) -> str:
        campaign = (
            _("Campaign %(id)d") % {"id": self.campaign_id} if self.campaign_id else _("Messages without a campaign")
        )
        day = None if self.day is None else self.day.isoformat()
        key = [campaign, self.status, self.reason, self.gateway, self.region, day]
        kept, counted = (
            _("%(messages)d messages, %(segments)d segments (%(unpriced_segments)d without a price), price %(price)s")
            % sums._asdict()
            for sums in (self.kept, self.counted)
        )
        sentence = _("%(key)s: kept are %(kept)s; counted were %(counted)s.")
        return sentence % {"key": ", ".join(filter(None, key)), "kept": kept, "counted": counted}


def ensure() -> bool:
    """
    Make the triggers where they are missing. True when they were.

    What is there is then counted: by campaign at once, by day in the background (`past_days`). Triggers of an earlier
    version that kept the same are only replaced.
    """
    if are_kept():
        day_figures.forget_what_is_gone()
        return False
    kept_the_same = figure_triggers.kept_the_same(connection.vendor, _found())

    def count() -> list[Difference | DayDifference]:
        if kept_the_same:
            return []
        past_days.begin()
        return list[Difference | DayDifference](_mend_campaigns())

    _make(count)
    return True


def _make(count: Callable[[], list[Difference | DayDifference]]) -> list[Difference | DayDifference]:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Whoever is changing the log is waited for: what they change is counted, what comes later is triggered.
            cursor.execute(f"LOCK TABLE {LOG} IN SHARE ROW EXCLUSIVE MODE")
        _drop()
        for statement in figure_triggers.statements(connection.vendor):
            cursor.execute(statement)
        day_figures.lock(wait=True)
        return count()


def are_kept() -> bool:
    """Whether all triggers are there, of this version, and switched on."""
    return set(figure_triggers.names(connection.vendor)) == _found()


def stop_keeping() -> None:
    """
    Remove the triggers before the tables change under them; `ensure()` makes them again.

    SQLite cannot rename a table that takes another's place while a trigger speaks of it, and a migration back to where
    there are no figures would leave triggers that let no message be written.
    """
    if _found():
        with transaction.atomic():
            _drop()


def differences() -> list[Difference | DayDifference]:
    """Where the kept figures and a count of the whole log disagree; empty when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES[connection.vendor])
        return [*map(_difference, cursor.fetchall()), *day_figures.differences()]


def repair() -> list[Difference | DayDifference]:
    """Make the kept figures what counting gives, and see that they are kept. Returns what was wrong."""
    if not are_kept():
        return _make(_mend)
    with transaction.atomic():
        return _mend()


def fold() -> int:
    """Sum up what was appended; how many rows it was. A second one at the same time does nothing."""
    if connection.vendor != "postgresql":
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        if not day_figures.lock(wait=False):
            return 0
        cursor.execute(_FOLD)
        return int(cursor.fetchone()[0])


# --- statements ------------------------------------------------------------------------------------------------------


def _compared(price: str) -> str:
    """Every key whose sums differ, what is kept and what is counted. `price`: how to add it up exactly; {0}: what."""
    summed = ", ".join(f"SUM(kept_{name}) AS kept_{name}, SUM(counted_{name}) AS counted_{name}" for name in SUMS)
    differ = " OR ".join(f"SUM(kept_{name}) <> SUM(counted_{name})" for name in SUMS)
    exactly = {name: price if name == "price" else "SUM({0})" for name in SUMS}
    counted = ", ".join(
        f"0 AS kept_{name}, {exactly[name].format(added.format(''))} AS counted_{name}" for name, added in ADDED.items()
    )
    kept = ", ".join(f"{exactly[name].format(name)}, 0" for name in SUMS)
    return (
        f"SELECT {KEYS_LISTED}, {summed} FROM ("  # noqa: S608
        f"SELECT {KEYS_LISTED}, {counted} FROM {LOG} GROUP BY {KEYS_LISTED} UNION ALL "
        f"SELECT {KEYS_LISTED}, {kept} FROM {FIGURES} GROUP BY {KEYS_LISTED}"
        f") AS side_by_side GROUP BY {KEYS_LISTED} HAVING {differ}"
    )


_DIFFERENCES = {
    "postgresql": _compared("SUM({0})"),
    # SQLite has no decimals: whole hundred-thousandths add up exactly.
    "sqlite": _compared(f"SUM(CAST(ROUND({{0}} * 1e{_PRICE_PLACES}) AS INTEGER))"),
}
_INSERT = f"INSERT INTO {FIGURES} ({KEYS_LISTED}, {', '.join(SUMS)}, is_folded)"
_MEND = (
    f"WITH found AS ({_DIFFERENCES['postgresql']}), mended AS ({_INSERT} "  # noqa: S608
    f"SELECT {KEYS_LISTED}, {', '.join(f'counted_{name} - kept_{name}' for name in SUMS)}, FALSE FROM found) "
    "SELECT * FROM found"
)
_COUNTED = {name: f"SUM({added.format('')})" for name, added in ADDED.items()}
_COUNTED["price"] = f"ROUND({_COUNTED['price']}, {_PRICE_PLACES})"
_COUNT_ANEW = f"{_INSERT} SELECT {KEYS_LISTED}, {', '.join(_COUNTED.values())}, 1 FROM {LOG} GROUP BY {KEYS_LISTED}"  # noqa: S608
#: Ids begin with 1 and days long after year 1: `=` can be hashed, `IS NOT DISTINCT FROM` cannot.
_COMPARABLE = {"campaign_id": "COALESCE({0}.campaign_id, 0)", "day": "COALESCE({0}.day, '0001-01-01')"}
_SAME_KEY = " AND ".join(
    " = ".join(_COMPARABLE.get(key, f"{{0}}.{key}").format(side) for side in ("f", "k")) for key in KEYS
)
_FOLD = (
    f"WITH appended AS (DELETE FROM {FIGURES} WHERE NOT is_folded RETURNING *), "  # noqa: S608
    f"k AS (SELECT DISTINCT {KEYS_LISTED} FROM appended), "
    f"folded AS (DELETE FROM {FIGURES} f USING k WHERE f.is_folded AND {_SAME_KEY} RETURNING f.*), "
    f"sums AS ({_INSERT} SELECT {KEYS_LISTED}, {', '.join(f'SUM({name})' for name in SUMS)}, TRUE "
    "FROM (SELECT * FROM appended UNION ALL SELECT * FROM folded) AS every_row "
    f"GROUP BY {KEYS_LISTED} HAVING {' OR '.join(f'SUM({name}) <> 0' for name in SUMS)}), "
    f"days AS ({day_figures.FOLD}) "
    "SELECT COUNT(*) FROM appended"
)


def _mend() -> list[Difference | DayDifference]:
    day_figures.lock(wait=True)
    return [*_mend_campaigns(), *day_figures.mend()]


def _mend_campaigns() -> list[Difference]:
    """PostgreSQL appends what is missing, like any other change; SQLite writes all rows anew, one for each key."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_MEND)
            return [_difference(row) for row in cursor.fetchall()]
        cursor.execute(_DIFFERENCES["sqlite"])
        found = [_difference(row) for row in cursor.fetchall()]
        cursor.execute(f"DELETE FROM {FIGURES}")  # noqa: S608
        cursor.execute(_COUNT_ANEW)
        return found


def _difference(row: tuple[Any, ...]) -> Difference:
    campaign, gateway, region, day, status, reason, *sums = row
    if isinstance(day, str):
        day = date.fromisoformat(day)
    kept, counted = (
        Sums(int(messages), int(segments), _money(price), int(unpriced))
        for messages, segments, price, unpriced in (sums[::2], sums[1::2])
    )
    return Difference(campaign, gateway, region, day, status, reason, kept, counted)


def _money(value: Any) -> Decimal:
    exact = Decimal(value).scaleb(-_PRICE_PLACES) if connection.vendor == "sqlite" else Decimal(value)
    return Decimal(f"{exact:.{_PRICE_PLACES}f}")  # always written with all its places


def _found() -> set[str]:
    """The triggers that are there, of whatever version. Those that were switched off count as gone."""
    with connection.cursor() as cursor:
        cursor.execute(figure_triggers.LISTED[connection.vendor])
        return {name for (name,) in cursor.fetchall()}


def _drop() -> None:
    on = f" ON {LOG}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in _found() | set(figure_triggers.names(connection.vendor)):
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")
