"""The triggers that keep the figures of the log (`kept_figures`), as SQL for either database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .models import NO_DELAY, PENDING, WHOLE_DAY, DayFigure, DayRecount, Figure, MessageStatus, SentMessage

LOG = SentMessage._meta.db_table
FIGURES = Figure._meta.db_table
KEYS = ("campaign_id", "gateway", "region", "day", "status", "reason")
KEYS_LISTED = ", ".join(KEYS)
#: What is kept for each key, and what a message adds to it. {0}: its row, with a dot after it.
ADDED = {
    "messages": "1",
    "segments": "{0}segment_count",
    "price": "COALESCE({0}price, 0)",
    "unpriced_segments": "CASE WHEN {0}price IS NULL THEN {0}segment_count ELSE 0 END",
}
SUMS = tuple(ADDED)

DAY_FIGURES = DayFigure._meta.db_table
DAY_KEYS = ("day", "hour", "gateway", "region", "status", "reason", "currency", "delay")
DAY_KEYS_LISTED = ", ".join(DAY_KEYS)
#: The same for the figures of a day.
DAY_ADDED = {
    "messages": "1",
    "segments": "{0}segment_count",
    "cost": "COALESCE({0}cost, 0)",
    "expected_cost": "CASE WHEN {0}cost IS NULL THEN COALESCE({0}price, 0) ELSE 0 END",
    "uncosted_segments": "CASE WHEN {0}cost IS NULL AND {0}price IS NULL THEN {0}segment_count ELSE 0 END",
}
DAY_SUMS = tuple(DAY_ADDED)
#: Messages with ids up to this are in no day's figures yet: the triggers leave them to `past_days`.
DAY_RECOUNT = DayRecount._meta.db_table
NOT_COUNTED_UP_TO = f"COALESCE((SELECT MAX(left_to) FROM {DAY_RECOUNT}), 0)"  # noqa: S608
MONEY = frozenset({"price", "cost", "expected_cost"})
#: Seconds from the provider's yes to the word that it was delivered: the limits between the values of `delay`.
DELAYS = (5, 10, 20, 30, 60, 120, 300, 900, 3600, 21600, 86400)

#: What a day's figures are made of.
_DAY_COLUMNS = (
    *("day", "gateway", "region", "status", "reason", "currency"),
    *("sent_at", "status_at", "segment_count", "cost", "price"),
)
# Not NOT IN: for that SQLite sets up a table, in a trigger anew for each message.
_IS_OVER = " AND ".join(f"{{0}}status <> '{status}'" for status in sorted(PENDING))
#: When a message was taken; if it never was, when that was decided. Nothing for what is still to be decided.
_WHEN = f"COALESCE({{0}}sent_at, CASE WHEN {_IS_OVER} THEN {{0}}status_at END)"
_IS_TIMED = f"{{0}}status = '{MessageStatus.DELIVERED}' AND {{0}}sent_at IS NOT NULL AND {{0}}status_at IS NOT NULL"
_SECONDS = "(julianday({0}status_at) - julianday({0}sent_at)) * 86400.0"
_STEPS = " ".join(f"WHEN {_SECONDS} < {limit} THEN {n}" for n, limit in enumerate(DELAYS))
#: The parts of a day's key that are not columns of the log.
DAY_MADE = {
    "postgresql": {
        "hour": f"date_bin('1 hour', {_WHEN}, '{WHOLE_DAY:%Y-%m-%d}T00:00Z')",
        "day": f"COALESCE({{0}}day, ({_WHEN} AT TIME ZONE 'UTC')::date)",
        "delay": (
            f"CASE WHEN {_IS_TIMED} THEN width_bucket(EXTRACT(EPOCH FROM {{0}}status_at - {{0}}sent_at)::float8, "
            f"ARRAY{list(DELAYS)}::float8[]) ELSE {NO_DELAY} END"
        ),
    },
    # Django keeps times there as text, in UTC.
    "sqlite": {
        "hour": f"substr({_WHEN}, 1, 13) || ':00:00'",
        "day": f"COALESCE({{0}}day, substr({_WHEN}, 1, 10))",
        "delay": f"CASE WHEN {_IS_TIMED} THEN CASE {_STEPS} ELSE {len(DELAYS)} END ELSE {NO_DELAY} END",
    },
}

_PREFIX = "message_figures_"
#: Goes up whenever a trigger changes: those of another version are then replaced.
_VERSION = 5
#: Triggers since this version kept the same figures: where one follows the other, nothing is counted anew.
_SAME_SINCE = 4
_NAME = f"{_PREFIX}{_VERSION}"
#: Lists the triggers that are there, of any version.
LISTED = {
    "postgresql": (
        f"SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass('{LOG}') AND NOT tgisinternal "  # noqa: S608
        f"AND tgenabled IN ('O', 'A') AND starts_with(tgname, '{_PREFIX}')"
    ),
    "sqlite": f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB '{_PREFIX}*'",  # noqa: S608
}


def names(vendor: str) -> list[str]:
    """What the triggers are called."""
    if vendor == "postgresql":
        return [f"{_NAME}_{event}" for event in ("insert", "update", "delete", "truncate")]
    return [trigger.name for trigger in _sqlite_triggers()]


def kept_the_same(vendor: str, found: set[str]) -> bool:
    """Whether these triggers, of an earlier version, are all of its, and kept what those of this one keep."""
    earlier = (f"{_PREFIX}{version}_" for version in range(_SAME_SINCE, _VERSION))
    return any(found == {name.replace(f"{_NAME}_", prefix) for name in names(vendor)} for prefix in earlier)


def statements(vendor: str) -> list[str]:
    """What makes them, where there are none."""
    return _postgresql() if vendor == "postgresql" else _sqlite()


def _postgresql() -> list[str]:
    """One function and a trigger per event, each called once per statement with all rows it changed."""
    tables = {
        "insert": "REFERENCING NEW TABLE AS added",
        "update": "REFERENCING NEW TABLE AS added OLD TABLE AS removed",
        "delete": "REFERENCING OLD TABLE AS removed",
        "truncate": "",
    }
    made = [
        f"CREATE TRIGGER {_NAME}_{event} AFTER {event.upper()} ON {LOG} {named} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {_NAME}()"
        for event, named in tables.items()
    ]
    # Rows come and go all the time, and every look at a campaign reads past those that are gone but not yet cleared.
    cleared = f"ALTER TABLE {FIGURES} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
    return [_postgresql_function(), *made, cleared]


def day_key(vendor: str, row: str = "") -> dict[str, str]:
    """The key of a day's figures, made of a row of the log. `row`: its name with a dot after it."""
    made = DAY_MADE[vendor]
    return {name: made[name].format(row) if name in made else f"{row}{name}" for name in DAY_KEYS}


def _postgresql_function() -> str:
    """What is appended tells apart all that either table does; folding sums it up for each of them."""
    made = day_key("postgresql")
    finer = {name: made[name] for name in ("hour", "currency", "delay")}
    finer["hour"] = f"CASE WHEN id > not_counted_up_to THEN {finer['hour']} END"
    sums = {**ADDED, **{name: added for name, added in DAY_ADDED.items() if name not in ADDED}}
    keys = f"{KEYS_LISTED}, {', '.join(finer)}"

    def portion(table: str, sign: str) -> str:
        parts = ", ".join(f"{value} AS {name}" for name, value in finer.items())
        values = ", ".join(f"{sign}({added.format('')}) AS {name}" for name, added in sums.items())
        return f"SELECT {KEYS_LISTED}, {parts}, {values} FROM {table}"  # noqa: S608

    def append(source: str) -> str:
        summed = [f"SUM({name})" for name in sums]
        return (
            f"INSERT INTO {FIGURES} ({keys}, {', '.join(sums)}, is_folded) "  # noqa: S608
            f"SELECT {keys}, {', '.join(summed)}, FALSE FROM ({source}) AS changed GROUP BY {keys} "
            f"HAVING {' OR '.join(f'{one} <> 0' for one in summed)};"
        )

    both = f"{portion('added', '')} UNION ALL {portion('removed', '-')}"
    return (
        f"CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ "  # noqa: S608
        f"DECLARE not_counted_up_to bigint := {NOT_COUNTED_UP_TO}; BEGIN "
        f"IF TG_OP = 'UPDATE' THEN {append(both)} "
        f"ELSIF TG_OP = 'INSERT' THEN {append(portion('added', ''))} "
        f"ELSIF TG_OP = 'DELETE' THEN {append(portion('removed', '-'))} "
        f"ELSE DELETE FROM {FIGURES}; DELETE FROM {DAY_FIGURES}; UPDATE {DAY_RECOUNT} SET left_to = 0; "
        "END IF; RETURN NULL; END $$"
    )


class _Trigger(NamedTuple):
    """One of SQLite's, called for each message."""

    name: str
    event: str
    condition: str
    body: str

    def __str__(self) -> str:
        condition = f"WHEN {self.condition}" if self.condition else ""
        return f"CREATE TRIGGER {self.name} AFTER {self.event} ON {LOG} FOR EACH ROW {condition} BEGIN {self.body} END"


def _sqlite() -> list[str]:
    return list(map(str, _sqlite_triggers()))


def _sqlite_triggers() -> list[_Trigger]:
    """Those of the days are of their own: most changes on a message's way to the provider are none of a day's."""
    columns = (*KEYS, "segment_count", "price")
    # Whoever leaves a key of a campaign was counted there. A day's may have been summed up meanwhile.
    off, on = _sqlite_add(FIGURES, "OLD", or_begin=False), _sqlite_add(FIGURES, "NEW")
    day_off, day_on = _sqlite_add(DAY_FIGURES, "OLD"), _sqlite_add(DAY_FIGURES, "NEW")
    was, is_now = (f"{_WHEN.format(f'{row}.')} IS NOT NULL" for row in ("OLD", "NEW"))
    is_counted = f"OLD.id > {NOT_COUNTED_UP_TO}"
    return [
        _Trigger(f"{_NAME}_insert", "INSERT", "", on),
        _Trigger(f"{_NAME}_update", f"UPDATE OF {', '.join(columns)}", _sqlite_changed(columns), off + on),
        _Trigger(f"{_NAME}_delete", "DELETE", "", off),
        _Trigger(f"{_NAME}_day_insert", "INSERT", is_now, day_on),
        _Trigger(
            f"{_NAME}_day_update",
            f"UPDATE OF {', '.join(_DAY_COLUMNS)}",
            f"({is_now} OR {was}) AND ({_sqlite_changed(_DAY_COLUMNS)}) AND {is_counted}",
            day_off + day_on,
        ),
        _Trigger(f"{_NAME}_day_delete", "DELETE", f"{was} AND {is_counted}", day_off),
    ]


def _sqlite_changed(columns: Sequence[str]) -> str:
    return " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in columns)


def _sqlite_add(table: str, row: str, *, or_begin: bool = True) -> str:
    """
    Add this row of a message (NEW), or take it off (OLD); `or_begin`: on a row of its own, where its key has none.

    Money is rounded, because SQLite adds it as floating point numbers, which would drift.
    """
    keys = day_key("sqlite", f"{row}.") if table == DAY_FIGURES else {key: f"{row}.{key}" for key in KEYS}
    sign, sums = "-" if row == "OLD" else "+", DAY_ADDED if table == DAY_FIGURES else ADDED
    added = {name: f"{sign}({value.format(f'{row}.')})" for name, value in sums.items()}
    changed = {name: f"{name} {value}" for name, value in added.items()}
    changed |= {name: f"ROUND({changed[name]}, 5)" for name in MONEY if name in changed}
    listed = ", ".join(f"{name} = {value}" for name, value in changed.items())
    same = " AND ".join(f"{name} IS {value}" for name, value in keys.items())
    update = f"UPDATE {table} SET {listed} WHERE {same}; "  # noqa: S608
    if not or_begin:
        return update
    inserted = {**keys, **added, **({} if table == DAY_FIGURES else {"is_folded": "1"})}
    # changes() is what the statement before it in the trigger has changed (sqlite.org/c3ref/changes.html).
    condition = f"changes() = 0 AND {keys['hour']} IS NOT NULL" if table == DAY_FIGURES else "changes() = 0"
    return (
        f"{update}INSERT INTO {table} ({', '.join(inserted)}) SELECT {', '.join(inserted.values())} WHERE {condition}; "
    )
