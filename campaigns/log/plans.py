"""
By which index the rows of the log are found.

An index gives rows in their order only for one value of each of its first columns. Where several values are asked for
(a group of states, or all gateways), each is a *stream* of its own, newest first, and the streams are merged: of each
at most a page is read, at whatever depth. So two indexes serve every state, gateway and campaign, alone and together,
where one for each would have to be written with every step of a message.

Dates are no filter among others: every stream is in the order of its dates, in which they are a beginning and an end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from django.db import connection
from django.db.models import Q, Sum

from campaigns.models import WITH_REASON, Figure, SentMessage

from .filters import NO_REASON, LogFilters

#: Columns and the one value of each that a stream is for.
Stream = Mapping[str, str | int]
_TABLE = SentMessage._meta.db_table
#: The first gateway, then each time the next: as many steps down the index as there are gateways, however long the log.
_GATEWAYS = f"""
WITH RECURSIVE found (gateway) AS (
    SELECT MIN(gateway) FROM {_TABLE}
    UNION ALL
    SELECT (SELECT MIN(next.gateway) FROM {_TABLE} AS next WHERE next.gateway > found.gateway)
    FROM found WHERE found.gateway IS NOT NULL
)
SELECT gateway FROM found WHERE gateway IS NOT NULL
"""  # noqa: S608


@dataclass(frozen=True)
class Plan:
    """
    Streams whose rows together are those that are asked for, less those that `rest` filters out.

    `most` says of each stream how many rows it can have at most, where the kept figures know: it is not read on for
    more. `is_covered`: nothing has to be filtered out, or hardly anything is there, so that it is quick at any depth.
    """

    streams: Sequence[Stream]
    rest: Q
    is_covered: bool
    most: Sequence[int] | None = None


def make_plan(filters: LogFilters) -> Plan:
    """How to find these rows. Asks the database which gateways there are, where that matters."""
    if _is_narrow(filters):
        # Sorted, not read in order: an index of their own finds them.
        return Plan([{}], filters.apart_from_dates(), is_covered=True)
    rest = filters.unindexed()
    if _has_reason(filters) and filters.gateway:
        rest &= Q(gateway=filters.gateway)
    fixed: dict[str, str | int] = {}
    if filters.campaign:
        fixed["campaign_id"] = filters.campaign
    if filters.reason:
        fixed["reason"] = filters.reason if _has_reason(filters) else ""
    if is_covered(filters):
        return Plan([{**fixed, **stream} for stream in _all_streams(filters)], rest, is_covered=True)
    counted = _counted_streams(filters)
    return Plan([{**fixed, **stream} for stream, _n in counted], rest, is_covered=False, most=[n for _s, n in counted])


def _all_streams(filters: LogFilters) -> Iterator[Stream]:
    statuses = sorted(map(str, filters.statuses))
    if _has_reason(filters):
        return ({"status": status} for status in statuses)
    known = [filters.gateway] if filters.gateway else known_gateways()
    return ({"gateway": gateway, "status": status} for gateway, status in product(known, statuses))


def _counted_streams(filters: LogFilters) -> list[tuple[Stream, int]]:
    """
    Those in which there is anything at all, by the kept figures, and how much at most: these do not know all filters.

    Else a state without a single row of the day that is asked for would be searched to its end.
    """
    names = ("status",) if _has_reason(filters) else ("gateway", "status")
    figures = Figure.objects.filter(filters.kept()).order_by(*names).values(*names)
    found = figures.annotate(n=Sum("messages")).filter(n__gt=0)
    return [({name: row[name] for name in names}, row["n"]) for row in found]


def is_covered(filters: LogFilters) -> bool:
    """Whether there is an index for this combination."""
    if _is_narrow(filters):
        return True
    has_others = any(name in filters.active for name in ("purpose", "region", "days", "term"))
    if filters.reason == NO_REASON and not filters.statuses <= WITH_REASON:
        return False
    return not has_others and not (_has_reason(filters) and filters.gateway)


def _has_reason(filters: LogFilters) -> bool:
    """Whether a certain reason is asked for."""
    return bool(filters.reason) and filters.reason != NO_REASON


def _is_narrow(filters: LogFilters) -> bool:
    return bool(filters.contact) or (filters.search is not None and filters.search.is_narrow)


def advice(filters: LogFilters) -> list[str]:
    """Which filter to leave out so that the rest is quick: the names of those of which one is enough, or of all."""
    active = [name for name in filters.active if name != "dates"]
    one = [name for name in active if is_covered(filters.without(name))]
    return one or [name for name in active if name in {"purpose", "region", "days", "term"}] or active


def known_gateways() -> list[str]:
    """Every gateway that the log knows, configured now or not."""
    with connection.cursor() as cursor:
        cursor.execute(_GATEWAYS)
        return [gateway for (gateway,) in cursor.fetchall()]
