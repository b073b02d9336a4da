"""Reading the log: a page of it, or the next rows of an export, by the streams of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from campaigns.models import WITH_REASON, SentMessage
from campaigns.time_limits import time_limit

from .filters import LogFilters
from .plans import Plan, Stream, is_covered, make_plan

#: So long a query may take that no index was made for.
LIMIT_SECONDS = 1.0
_TABLE = SentMessage._meta.db_table
_NO_REASON = ("reason", "")
_STATUS_WITH_REASON = "status IN ({})".format(", ".join(f"'{status}'" for status in sorted(WITH_REASON)))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Key(NamedTuple):
    """The place of a row: newer ones first, and of one moment those with higher ids."""

    at: datetime
    pk: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}.{self.pk}"

    @classmethod
    def of(cls, message: SentMessage) -> Key:
        return cls(message.created_at, message.pk)

    @classmethod
    def read(cls, text: str) -> Key:
        """What `str()` gave. Raises ValueError for anything else."""
        moment, pk = map(int, text.split("."))
        try:
            at = _EPOCH + moment * _MICROSECOND
        except OverflowError as error:
            raise ValueError(text) from error
        if not 0 <= pk < 2**63:
            raise ValueError(text)
        return cls(at, pk)


class Page(NamedTuple):
    """Rows, and whether there are others on either side of them."""

    rows: list[SentMessage]
    has_newer: bool
    has_older: bool


def page(
    filters: LogFilters,
    rows: QuerySet[SentMessage],
    size: int,
    *,
    before: Key | None = None,
    after: Key | None = None,
) -> Page:
    """
    So many of `rows` (what is selected of them), the newest, or the next older ones than `before`, or the next newer
    ones than `after`.

    One query beside the one that lists the gateways. Raises TookTooLong where no index serves and it takes too long.
    """
    place = after if after is not None else before
    with nullcontext() if is_covered(filters) else time_limit(LIMIT_SECONDS):
        walk = _Walk(make_plan(filters), filters, size + 1, is_upward=after is not None)
        read = list(rows.filter(pk__in=walk.ids(place)).order_by(*walk.order))
    is_more = len(read) > size
    if after is not None:
        return Page(read[:size][::-1], has_newer=is_more, has_older=True)
    return Page(read[:size], has_newer=before is not None, has_older=is_more)


def ids_behind(filters: LogFilters, last_id: int, size: int) -> list[int]:
    """
    The ids of the next rows in the order in which they were written, behind the row `last_id` (0: the first ones).

    For whatever walks through all of them, and has all the time it needs.
    """
    place = None
    if last_id:
        place = Key(*SentMessage.objects.values_list("created_at", "pk").get(pk=last_id))
    walk = _Walk(make_plan(filters), filters, size, is_upward=True)
    found = SentMessage.objects.filter(pk__in=walk.ids(place)).order_by(*walk.order)
    return list(found.values_list("pk", flat=True))


class _Walk:
    """A number of rows in their order, up or down from a place."""

    def __init__(self, plan: Plan, filters: LogFilters, size: int, *, is_upward: bool) -> None:
        self._plan, self._filters, self._size = plan, filters, size
        self._compared, self._direction = (">", "ASC") if is_upward else ("<", "DESC")
        self.order = ("created_at", "pk") if is_upward else ("-created_at", "-pk")

    def ids(self, place: Key | None) -> RawSQL:
        """The ids, as a subquery."""
        rest, rest_values = _compiled(self._plan.rest)
        bounds, bound_values = self._bounds(place)
        order = f"ORDER BY created_at {self._direction}, id {self._direction} LIMIT"
        most = self._plan.most or [self._size] * len(self._plan.streams)
        parts: list[str] = []
        values: list[Any] = []
        for number, stream in enumerate(self._plan.streams):
            where = [*_equal(stream), *bounds, *rest] or ["1 = 1"]
            limit = min(self._size, most[number])
            statement = f"SELECT created_at, id FROM {_TABLE} WHERE {' AND '.join(where)} {order} {limit}"  # noqa: S608
            parts.append(f"SELECT created_at, id FROM ({statement}) AS s{number}")  # noqa: S608
            values += [*(value for column, value in stream.items() if (column, value) != _NO_REASON)]
            values += [*bound_values, *rest_values]
        if not parts:  # an empty log has no gateways, and where the figures know of nothing there is nothing
            return RawSQL(f"SELECT id FROM {_TABLE} WHERE 1 = 0", [])  # noqa: S608, S611
        merged = " UNION ALL ".join(parts)
        return RawSQL(f"SELECT id FROM ({merged}) AS merged {order} {self._size}", values)  # noqa: S608, S611

    def _bounds(self, place: Key | None) -> tuple[list[str], list[Any]]:
        conditions: list[str] = []
        values: list[Any] = []
        for operator, moment in ((">=", self._filters.since), ("<", self._filters.until)):
            if moment is not None:
                conditions.append(f"created_at {operator} %s")
                values.append(_stored(moment))
        if place is not None:
            conditions.append(f"(created_at, id) {self._compared} (%s, %s)")
            values += [_stored(place.at), place.pk]
        return conditions, values


def _equal(stream: Stream) -> list[str]:
    conditions = [f"{column} = %s" for column, value in stream.items() if (column, value) != _NO_REASON]
    # The conditions of the indexes, word by word, as SQLite needs them.
    if _NO_REASON not in stream.items():
        return [*conditions, "reason > ''"] if "reason" in stream else conditions
    if connection.vendor != "sqlite" or stream["status"] not in WITH_REASON:
        return [*conditions, "reason = ''"]  # PostgreSQL sees by itself that the one state is among them
    return [*conditions, "reason = ''", _STATUS_WITH_REASON]


def _compiled(condition: Q) -> tuple[list[str], Sequence[Any]]:
    """A condition on the log's own columns as SQL."""
    if not condition:
        return [], ()
    query = SentMessage.objects.filter(condition).query
    compiler = query.get_compiler(connection=connection)
    compiler.pre_sql_setup()
    statement, values = compiler.compile(query.where)
    return [f"({statement})"], values


def _stored(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
