"""
The kept figures once more, by day instead of by campaign: what the dashboard reads (`DayFigure`).

They are written by the same triggers and folded in the same statement as those of the campaigns (`kept_figures`), so
they are as right. What is older than they are is counted in the background (`past_days`). While a day goes on its hours
are told apart; once it is over, `close_days()` sums them up. Whatever happens to its messages later is added to it all
the same: what holds is the sum over all rows of a key.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

from .figure_triggers import (
    DAY_ADDED,
    DAY_FIGURES,
    DAY_KEYS,
    DAY_KEYS_LISTED,
    DAY_SUMS,
    FIGURES,
    LOG,
    MONEY,
    NOT_COUNTED_UP_TO,
    day_key,
)
from .models import WHOLE_DAY
from .spent import today

#: So many days before today keep their hours: where the operator lives it may still be yesterday.
OPEN_DAYS = 1
#: Hours are told apart only for a while, so a difference does not name one.
_COMPARED = tuple(key for key in DAY_KEYS if key != "hour")
_COMPARED_LISTED = ", ".join(_COMPARED)


class DaySums(NamedTuple):
    """What is kept for a key."""

    messages: int
    segments: int
    cost: Decimal
    expected_cost: Decimal
    uncosted_segments: int


class DayDifference(NamedTuple):
    """A day, and what of it is kept otherwise than counting gives."""

    day: date
    gateway: str
    region: str
    status: str
    reason: str
    currency: str
    delay: int
    kept: DaySums
    counted: DaySums

    def __str__(self) -> str:
        key = [self.day.isoformat(), self.status, self.reason, self.gateway, self.region, self.currency]
        kept, counted = (
            _("%(messages)d messages, %(segments)d segments, cost %(cost)s, expected %(expected_cost)s")
            % sums._asdict()
            for sums in (self.kept, self.counted)
        )
        sentence = _("%(key)s: kept are %(kept)s; counted were %(counted)s.")
        return sentence % {"key": ", ".join(filter(None, key)), "kept": kept, "counted": counted}


def differences() -> list[DayDifference]:
    """Where the kept figures of a day and a count of the whole log disagree; messages not counted yet left out."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES[connection.vendor])
        return [_difference(row) for row in cursor.fetchall()]


def mend() -> list[DayDifference]:
    """Add what is missing and take off what is too much; what it was. Call with `lock()`, in a transaction."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_MEND)
            return [_difference(row) for row in cursor.fetchall()]
        found = differences()
        if found:
            cursor.execute(f"DELETE FROM {DAY_FIGURES}")  # noqa: S608
            cursor.execute(_COUNT_ANEW)
        return found


def forget() -> None:
    """There are no figures by day, also not of what PostgreSQL appended. Call with `lock()`, while nothing changes."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {DAY_FIGURES}")  # noqa: S608
        cursor.execute(f"UPDATE {FIGURES} SET hour = NULL WHERE NOT is_folded AND hour IS NOT NULL")  # noqa: S608


def add_part(after: int, up_to: int) -> None:
    """Count the messages between two ids. Call with `lock()`, while nothing changes and they are in no figure."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_PART[connection.vendor], [str(today() - timedelta(days=OPEN_DAYS)), after, up_to])


def forget_what_is_gone() -> None:
    """`manage.py flush` empties tables in any order: what is taken off after these were emptied is no figure."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {DAY_FIGURES} WHERE NOT EXISTS (SELECT 1 FROM {LOG})")  # noqa: S608


def close_days() -> bool:
    """Sum up the hours of the days that are over. False: somebody else is writing these figures just now."""
    over = str(today() - timedelta(days=OPEN_DAYS))
    whole_day = _WHOLE_DAY[connection.vendor]
    with transaction.atomic(), connection.cursor() as cursor:
        if not lock(wait=False):
            return False
        cursor.execute(_CLOSE[connection.vendor], [over])
        cursor.execute(f"DELETE FROM {DAY_FIGURES} WHERE day < %s AND NOT (hour = {whole_day})", [over])  # noqa: S608
    return True


def lock(*, wait: bool) -> bool:
    """
    Until the end of the transaction: nobody else sums up, or mends. SQLite has one writer at a time anyhow.

    Without `wait`, False when somebody does.
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_{'' if wait else 'try_'}advisory_xact_lock(%s)", [_LOCK])
        return wait or bool(cursor.fetchone()[0])


def rows_between() -> str:
    """
    A query of all rows of the days from %s to %s, whatever of them was not folded yet included.

    Its parameters are the first and the last day, given as often as `day_parameters()` says.
    """
    rows = f"SELECT {DAY_KEYS_LISTED}, {', '.join(DAY_SUMS)} FROM {DAY_FIGURES} WHERE day BETWEEN %s AND %s"  # noqa: S608
    if connection.vendor == "postgresql":
        rows += f" UNION ALL SELECT * FROM ({_APPENDED}) AS appended WHERE day BETWEEN %s AND %s"  # noqa: S608
    return rows


def day_parameters(first: date, last: date) -> list[str]:
    """What `rows_between()` is to be given."""
    return [str(first), str(last)] * (2 if connection.vendor == "postgresql" else 1)


# --- statements ------------------------------------------------------------------------------------------------------

#: Any number will do that nothing else locks.
_LOCK = 7_402_611
#: As text, so that the index of what is still told apart serves the condition.
_WHOLE_DAY = {
    "postgresql": f"'{WHOLE_DAY:%Y-%m-%d %H:%M:%S}+00'",
    "sqlite": f"'{WHOLE_DAY:%Y-%m-%d %H:%M:%S}'",
}
_TIME = {"postgresql": "timestamptz", "sqlite": "text"}
_PRICE_PLACES = 5
_INSERT = f"INSERT INTO {DAY_FIGURES} ({DAY_KEYS_LISTED}, {', '.join(DAY_SUMS)})"
_OR_ADD = (
    f"ON CONFLICT ({DAY_KEYS_LISTED}) DO UPDATE SET "
    f"{', '.join(f'{name} = {DAY_FIGURES}.{name} + EXCLUDED.{name}' for name in DAY_SUMS)}"
)
_SUMMED = {name: f"SUM({name})" for name in DAY_SUMS}
_ANY = " OR ".join(f"{summed} <> 0" for summed in _SUMMED.values())
_DAY = "COALESCE(day, (hour AT TIME ZONE 'UTC')::date)"
#: What was appended to the figures of the campaigns, as rows of days.
_APPENDED = (
    f"SELECT {DAY_KEYS_LISTED.replace('day', f'{_DAY} AS day', 1)}, {', '.join(DAY_SUMS)} "  # noqa: S608
    f"FROM {FIGURES} WHERE NOT is_folded AND hour IS NOT NULL"
)
_KEYS_OF_APPENDED = DAY_KEYS_LISTED.replace("day", _DAY, 1)
#: A part of the statement that folds: what it took from there (`appended`) is added here.
FOLD = (
    f"{_INSERT} SELECT {_KEYS_OF_APPENDED}, {', '.join(_SUMMED.values())} "  # noqa: S608
    f"FROM appended WHERE hour IS NOT NULL GROUP BY {_KEYS_OF_APPENDED} HAVING {_ANY} {_OR_ADD}"
)


def _closing(vendor: str) -> str:
    whole_day = _WHOLE_DAY[vendor]
    summed = {name: f"ROUND({value}, {_PRICE_PLACES})" if name in MONEY else value for name, value in _SUMMED.items()}
    keys = DAY_KEYS_LISTED.replace("hour", f"CAST({whole_day} AS {_TIME[vendor]})")
    return (
        f"{_INSERT} SELECT {keys}, {', '.join(summed.values())} FROM {DAY_FIGURES} "  # noqa: S608
        f"WHERE day < %s AND NOT (hour = {whole_day}) GROUP BY {_COMPARED_LISTED} HAVING {_ANY} {_OR_ADD}"
    )


#: Not by the index of ids: nearly all of the log is read.
_COUNTED = f"id + 0 > {NOT_COUNTED_UP_TO}"


def _of_the_log(vendor: str, which: str = _COUNTED) -> str:
    """Messages as rows of days: all that are counted, or `which`."""
    made = ", ".join(f"{value} AS {name}" for name, value in day_key(vendor).items())
    values = ", ".join(f"{added.format('')} AS {name}" for name, added in DAY_ADDED.items())
    return f"SELECT * FROM (SELECT {made}, {values} FROM {LOG} WHERE {which}) AS made WHERE hour IS NOT NULL"  # noqa: S608


def _compared(vendor: str, money: str) -> str:
    """Every key whose sums differ, what is kept and what is counted. `money`: how to add it up exactly; {0}: what."""

    def summed(source: str, *, is_kept: bool) -> str:
        sums = {name: (money if name in MONEY else "SUM({0})").format(name) for name in DAY_SUMS}
        both = ", ".join(
            f"{value if is_kept else 0} AS kept_{name}, {0 if is_kept else value} AS counted_{name}"
            for name, value in sums.items()
        )
        return f"SELECT {_COMPARED_LISTED}, {both} FROM ({source}) AS one GROUP BY {_COMPARED_LISTED}"  # noqa: S608

    kept = [f"SELECT {DAY_KEYS_LISTED}, {', '.join(DAY_SUMS)} FROM {DAY_FIGURES}"]  # noqa: S608
    if vendor == "postgresql":
        kept.append(_APPENDED)
    sides = [summed(_of_the_log(vendor), is_kept=False), *(summed(rows, is_kept=True) for rows in kept)]
    differ = " OR ".join(f"SUM(kept_{name}) <> SUM(counted_{name})" for name in DAY_SUMS)
    named = ", ".join(f"SUM(kept_{name}) AS kept_{name}, SUM(counted_{name}) AS counted_{name}" for name in DAY_SUMS)
    return (
        f"SELECT {_COMPARED_LISTED}, {named} FROM ({' UNION ALL '.join(sides)}) AS side_by_side "  # noqa: S608
        f"GROUP BY {_COMPARED_LISTED} HAVING {differ}"
    )


_DIFFERENCES = {
    "postgresql": _compared("postgresql", "SUM({0})"),
    # SQLite has no decimals: whole hundred-thousandths add up exactly.
    "sqlite": _compared("sqlite", f"SUM(CAST(ROUND({{0}} * 1e{_PRICE_PLACES}) AS INTEGER))"),
}


def _adding(vendor: str) -> str:
    """Of days that are over, no hours."""
    summed = {name: f"ROUND({value}, {_PRICE_PLACES})" if name in MONEY else value for name, value in _SUMMED.items()}
    whole_day = f"CAST({_WHOLE_DAY[vendor]} AS {_TIME[vendor]})"
    keys = DAY_KEYS_LISTED.replace("hour", f"CASE WHEN day < %s THEN {whole_day} ELSE hour END AS hour")
    rows = f"SELECT {keys}, {', '.join(DAY_SUMS)} FROM ({_of_the_log(vendor, 'id > %s AND id <= %s')}) AS one"  # noqa: S608
    return (
        f"{_INSERT} SELECT {DAY_KEYS_LISTED}, {', '.join(summed.values())} FROM ({rows}) AS part "  # noqa: S608
        f"GROUP BY {DAY_KEYS_LISTED} HAVING {_ANY} {_OR_ADD}"
    )


_ADD_PART = {vendor: _adding(vendor) for vendor in _WHOLE_DAY}
_CLOSE = {vendor: _closing(vendor) for vendor in _WHOLE_DAY}
_MEND = (
    f"WITH found AS ({_DIFFERENCES['postgresql']}), mended AS ({_INSERT} "  # noqa: S608
    f"SELECT {DAY_KEYS_LISTED.replace('hour', _WHOLE_DAY['postgresql'] + '::timestamptz')}, "
    f"{', '.join(f'counted_{name} - kept_{name}' for name in DAY_SUMS)} FROM found WHERE TRUE {_OR_ADD}) "
    "SELECT * FROM found"
)
_COUNT_ANEW = (
    f"{_INSERT} SELECT {DAY_KEYS_LISTED}, "  # noqa: S608
    f"{', '.join(f'ROUND({value}, {_PRICE_PLACES})' if name in MONEY else value for name, value in _SUMMED.items())} "
    f"FROM ({_of_the_log('sqlite')}) AS counted GROUP BY {DAY_KEYS_LISTED}"
)


def _difference(row: tuple[Any, ...]) -> DayDifference:
    day, gateway, region, status, reason, currency, delay, *sums = row
    kept, counted = (
        DaySums(int(messages), int(segments), _money(cost), _money(expected), int(uncosted))
        for messages, segments, cost, expected, uncosted in (sums[::2], sums[1::2])
    )
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return DayDifference(day, gateway, region, status, reason, currency, delay, kept, counted)


def _money(value: Any) -> Decimal:
    exact = Decimal(value).scaleb(-_PRICE_PLACES) if connection.vendor == "sqlite" else Decimal(value)
    return Decimal(f"{exact:.{_PRICE_PLACES}f}")  # always written with all its places
