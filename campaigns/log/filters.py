"""What of the log somebody wants to see: the parameters of its address, read once and understood everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from campaigns.models import PENDING, TAKEN, MessageStatus

from .searching import Search, search

S = MessageStatus
#: Groups of states as operators think of them. Together they are all states; `unknown` and `delivered` are alone.
STATUS_GROUPS: dict[str, frozenset[MessageStatus]] = {
    "waiting": frozenset({S.QUEUED, S.CLAIMED}),
    "on_its_way": frozenset({S.SENDING, S.SENT}),
    "reached": frozenset({S.DELIVERED}),
    "not_reached": frozenset({S.UNDELIVERED, S.EXPIRED, S.REJECTED, S.FAILED}),
    "left_out": frozenset({S.SUPPRESSED, S.CANCELLED}),
    "unknown": frozenset({S.UNKNOWN}),
}
#: The two sums of a campaign's page: what is over, and what is not.
DONE = "done"
TO_GO = "to_go"
#: And one of the dashboard: what providers took, whatever followed.
TAKEN_SUM = "taken"
#: Asked for as a reason: messages that have none.
NO_REASON = "none"
_SUMS = {DONE: frozenset(set(S) - PENDING), TO_GO: PENDING, TAKEN_SUM: TAKEN}
#: The largest id that a database can hold.
_MOST = 2**63 - 1


class FilterError(ValueError):
    """A parameter that means nothing."""


@dataclass(frozen=True)
class LogFilters:
    """
    What is asked for; empty values ask for nothing. `until` is the first moment that is too late.

    `since` and `until` are about when a row was written, `day_from` and `day_to` (both included) about the day on which
    it was last offered to a gateway, by which the figures of days are kept.
    """

    campaign: int | None = None
    status: str = ""
    reason: str = ""
    gateway: str = ""
    purpose: str = ""
    region: str = ""
    contact: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    day_from: date | None = None
    day_to: date | None = None
    term: str = ""

    @cached_property
    def statuses(self) -> frozenset[MessageStatus]:
        """The states that are asked for; all of them where that does not matter."""
        if not self.status:
            return frozenset(S)
        group = STATUS_GROUPS.get(self.status) or _SUMS.get(self.status)
        return group or frozenset({S(self.status)})

    @cached_property
    def search(self) -> Search | None:
        """What `term` means. Looks ids up."""
        return search(self.term) if self.term else None

    @property
    def active(self) -> list[str]:
        """Names of what is asked for. The two ends of a time are one."""
        names = [name for name in _PLAIN if getattr(self, name)]
        names += ["dates"] if self.since or self.until else []
        names += ["days"] if self.day_from or self.day_to else []
        return names + (["term"] if self.term else [])

    def without(self, name: str) -> LogFilters:
        """The same, not asking for this."""
        emptied: dict[str, Any] = {field: _EMPTY[field] for field in FIELDS.get(name, (name,))}
        return replace(self, **emptied)

    def condition(self) -> Q:
        """All of it as one condition, for what needs no certain order."""
        return self.apart_from_dates() & self.dates()

    def apart_from_dates(self) -> Q:
        """The same without the dates."""
        return self.unindexed() & self._indexed()

    def _indexed(self) -> Q:
        found = Q()
        for name in ("campaign", "reason", "gateway"):
            if value := getattr(self, name):
                found &= Q(**{name: "" if (name, value) == ("reason", NO_REASON) else value})
        return found & Q(status__in=sorted(self.statuses)) if self.status else found

    def kept(self) -> Q:
        """As much of it as the kept figures know, for them: their fields are called as those of the messages."""
        return self._indexed() & self._region_and_days()

    def dates(self) -> Q:
        found = Q()
        if self.since:
            found &= Q(created_at__gte=self.since)
        if self.until:
            found &= Q(created_at__lt=self.until)
        return found

    def unindexed(self) -> Q:
        """What no index of the log is made for."""
        found = self._region_and_days()
        for name in ("purpose", "contact"):
            if value := getattr(self, name):
                found &= Q(**{name: value})
        return found & self.search.condition if self.search else found

    def _region_and_days(self) -> Q:
        found = Q(region=self.region) if self.region else Q()
        if self.day_from:
            found &= Q(day__gte=self.day_from)
        if self.day_to:
            found &= Q(day__lte=self.day_to)
        return found


_PLAIN = ("campaign", "status", "reason", "gateway", "purpose", "region", "contact")
_EMPTY = {name: field.default for name, field in LogFilters.__dataclass_fields__.items()}
#: Filters that are made of several values.
FIELDS = {"dates": ("since", "until"), "days": ("day_from", "day_to")}
#: Parameter of the address -> filter.
PARAMETERS = {
    "campaign__id__exact": "campaign",
    "status__exact": "status",
    "reason__exact": "reason",
    "gateway__exact": "gateway",
    "purpose__exact": "purpose",
    "region__exact": "region",
    "contact__id__exact": "contact",
    "from": "dates",
    "to": "dates",
    "created_at__gte": "dates",
    "created_at__lt": "dates",
    "day__gte": "days",
    "day__lte": "days",
    "q": "term",
}


def read(parameters: Mapping[str, Any]) -> LogFilters:
    """
    What the parameters of an address ask for; of several values of one the last counts, others than ours are ignored.

    Raises FilterError.
    """
    values = {name: _last(parameters[name]).strip() for name in PARAMETERS if name in parameters}
    found: dict[str, Any] = {}
    for name in ("campaign__id__exact", "contact__id__exact"):
        if values.get(name):
            found[PARAMETERS[name]] = _id(values[name])
    for name in ("reason__exact", "gateway__exact", "purpose__exact", "region__exact", "q"):
        found[PARAMETERS[name]] = values.get(name, "").replace("\x00", "")
    found["status"] = _status(values.get("status__exact", ""))
    found["since"] = _first(values, "from", "created_at__gte")
    found["until"] = _first(values, "to", "created_at__lt")
    found["day_from"] = _day(values.get("day__gte", ""))
    found["day_to"] = _day(values.get("day__lte", ""))
    return LogFilters(**found)


def start_of(day: date) -> datetime:
    """The first moment of a day in the reader's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _last(value: Any) -> str:
    """An address gives lists, a worker what was stored of them."""
    if isinstance(value, (list, tuple)):
        return str(value[-1]) if value else ""
    return str(value)


def _id(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST:
        raise FilterError(f"{text!r} is no id")
    return int(text)


def _status(text: str) -> str:
    if text and text not in {*S.values, *STATUS_GROUPS, *_SUMS}:
        raise FilterError(f"{text!r} is no state")
    return text


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        found = parse_date(text)
    except ValueError as error:
        raise FilterError(f"{text!r} is no day") from error
    if found is None or not date(1900, 1, 1) <= found <= date(9990, 1, 1):
        raise FilterError(f"{text!r} is no day")
    return found


def _first(values: Mapping[str, str], day_name: str, moment_name: str) -> datetime | None:
    """
    A whole day in the reader's zone, as people choose it, or else a moment, as other pages link to it.

    The last day is included, so what comes too late begins with the next.
    """
    if day := _day(values.get(day_name, "")):
        return start_of(day + timedelta(days=1) if day_name == "to" else day)
    text = values.get(moment_name, "")
    if not text:
        return None
    try:
        # A plus that nobody escaped is a space in an address.
        found = parse_datetime(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise FilterError(f"{text!r} is no time") from error
    if found is None:
        only_day = _day(text)
        return start_of(only_day) if only_day else None
    return found if timezone.is_aware(found) else timezone.make_aware(found)
