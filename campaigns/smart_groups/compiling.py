"""Conditions -> a restriction of contacts that the database evaluates for any set of them at once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, time, timedelta
from functools import reduce
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from campaigns.models import (
    TAKEN,
    AttributeKind,
    Contact,
    ContactGroup,
    ContactImportRow,
    InboundMessage,
    MessageStatus,
    OptOut,
    Purpose,
    RowKind,
    SentMessage,
)

from .attributes_sql import AttributeDate, AttributeNumber, AttributeText, spellings
from .conditions import Became, Block, Combine, Condition, Is, On, read

S = MessageStatus
#: The states that "became" means.
STATES: dict[Became, Collection[MessageStatus]] = {
    Became.SENT: TAKEN | {S.UNKNOWN, S.SENDING},
    Became.DELIVERED: {S.DELIVERED},
    Became.NOT_DELIVERED: {S.UNDELIVERED, S.EXPIRED, S.REJECTED, S.FAILED},
    Became.NO_RECEIPT: {S.SENT},
    Became.UNKNOWN: {S.UNKNOWN},
    Became.LEFT_OUT: {S.SUPPRESSED},
}
#: The rows of an import whose people are contacts.
_IMPORTED = (RowKind.NEW, RowKind.CHANGED, RowKind.UNCHANGED)
_NOBODY = Q(pk__in=[])


class SmartConditions(NamedTuple):
    """The conditions of smart groups by id, as stored, and the moment that "the last 30 days" are counted from."""

    by_group: Mapping[int, Any]
    as_of: datetime

    def stored(self) -> dict[str, Any]:
        """As JSON, for the copy that a launch keeps."""
        return {"by_group": {str(pk): it for pk, it in self.by_group.items()}, "as_of": self.as_of.isoformat()}

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> SmartConditions:
        """What `stored()` gave; nothing for launches that knew no smart groups."""
        if not stored:
            return cls({}, timezone.now())
        by_group = {int(pk): it for pk, it in stored["by_group"].items()}
        return cls(by_group, datetime.fromisoformat(stored["as_of"]))


def smart_conditions(group_ids: Iterable[int], *, as_of: datetime | None = None) -> SmartConditions:
    """What the smart groups among these mean now."""
    found = ContactGroup.objects.filter(pk__in=list(group_ids), conditions__isnull=False)
    return SmartConditions(dict(found.values_list("pk", "conditions")), as_of or timezone.now())


class ByRow(Exists):
    """
    EXISTS that is asked of one contact after the other, by an index.

    Without the OFFSET, PostgreSQL may read all rows of the subquery once and keep them. That is the faster way to ask
    about all contacts, and a waste for each of the many chunks of an audience.
    """

    template = "EXISTS(%(subquery)s OFFSET 0)"


class Moment(NamedTuple):
    """When conditions are evaluated, and how: for all contacts at once, or for those of a chunk."""

    as_of: datetime
    exists: type[Exists] = Exists


def matching(stored: Any, *, as_of: datetime | None = None, by_row: bool = False) -> Q:
    """
    The contacts that meet these conditions, as a restriction of contacts. Raises ConditionsError.

    Days are counted from `as_of` (now, if it is not given), in the current time zone. `by_row`: few contacts will be
    asked about, in the order of their ids.
    """
    return compiled(read(stored), Moment(as_of or timezone.now(), ByRow if by_row else Exists))


def membership(group_ids: Iterable[int], smart: SmartConditions, *, bounds: Mapping[str, int] | None = None) -> Q:
    """
    The contacts in any of these groups, static or smart. Raises ConditionsError.

    `bounds` (lookups of the id) say which contacts will be asked about. They bound the memberships too: without them
    each chunk of a large audience would read those of all chunks before it.
    """
    ids = list(group_ids)
    static = [pk for pk in ids if pk not in smart.by_group]
    parts = [matching(smart.by_group[pk], as_of=smart.as_of, by_row=bool(bounds)) for pk in ids if pk in smart.by_group]
    rows = Contact.groups.through.objects.filter(contactgroup__in=static)
    if parts and static:
        parts.append(Q((ByRow if bounds else Exists)(rows.filter(contact=OuterRef("pk")))))
    elif not parts:
        rows = rows.filter(**{f"contact__{name}": pk for name, pk in (bounds or {}).items()})
        return Q(pk__in=rows.values("contact"))
    return reduce(operator.or_, parts)


def compiled(node: Block | Condition, moment: Moment) -> Q:
    """A restriction of contacts."""
    if isinstance(node, Condition):
        return _COMPILERS.get(node.on, _own_text)(node, moment)
    parts = [compiled(part, moment) for part in node.parts]
    if not parts:
        return _NOBODY
    if node.combine == Combine.ALL:
        return reduce(operator.and_, parts)
    either = reduce(operator.or_, parts)
    return ~either if node.combine == Combine.NONE else either


def _exists(rows: QuerySet[Any], moment: Moment, *, wanted: bool) -> Q:
    exists = moment.exists(rows)
    return Q(exists) if wanted else ~Q(exists)


def _group(condition: Condition, moment: Moment) -> Q:
    rows = Contact.groups.through.objects.filter(contact=OuterRef("pk"), contactgroup=condition.value)
    return _exists(rows, moment, wanted=condition.comparison == Is.IN)


def _import(condition: Condition, moment: Moment) -> Q:
    rows = ContactImportRow.objects.filter(
        contact_import=condition.value, phone_number=OuterRef("phone_number"), kind__in=_IMPORTED
    )
    return _exists(rows, moment, wanted=condition.comparison == Is.IN)


def _consent(condition: Condition, _moment: Moment) -> Q:
    restriction = Q(consent=condition.value)
    return restriction if condition.comparison == Is.EQUALS else ~restriction


def _opted_out(condition: Condition, moment: Moment) -> Q:
    rows = OptOut.objects.filter(canonical_number=OuterRef("phone_number"))
    return _exists(rows, moment, wanted=condition.comparison == Is.YES)


def _message(condition: Condition, moment: Moment) -> Q:
    rows = SentMessage.objects.filter(contact=OuterRef("pk"), status__in=STATES[condition.became])
    if condition.campaign is not None:
        rows = rows.filter(campaign=condition.campaign)
    else:
        rows = rows.exclude(purpose=Purpose.TEST)
    if condition.days is not None:
        since = moment.as_of - timedelta(days=condition.days)
        rows = rows.filter(Q(created_at__gte=since) | Q(sent_at__gte=since))
    return _exists(rows, moment, wanted=condition.comparison == Is.WAS)


def _reply(condition: Condition, moment: Moment) -> Q:
    rows = InboundMessage.objects.filter(contact=OuterRef("pk"))
    if condition.days is not None:
        rows = rows.filter(received_at__gte=moment.as_of - timedelta(days=condition.days))
    return _exists(rows, moment, wanted=condition.comparison == Is.YES)


def _created_at(condition: Condition, moment: Moment) -> Q:
    if condition.comparison == Is.IN_LAST_DAYS:
        return Q(created_at__gte=moment.as_of - timedelta(days=condition.value))
    day = timezone.make_aware(datetime.combine(condition.value, time()))
    if condition.comparison == Is.BEFORE:
        return Q(created_at__lt=day)
    return Q(created_at__gte=day + timedelta(days=1))


def _own_text(condition: Condition, _moment: Moment) -> Q:
    """A field of the contact. Capitals make no difference; an index serves the beginning and the whole."""
    field, value = str(condition.on), condition.value
    if condition.on == On.PHONE_NUMBER:
        restriction = _number(value, whole=condition.comparison != Is.STARTS_WITH)
        return ~restriction if condition.comparison == Is.NOT_EQUALS else restriction
    restrictions: dict[Is, Callable[[], Q]] = {
        Is.EQUALS: lambda: Q(**{f"{field}__iexact": value}),
        Is.NOT_EQUALS: lambda: ~Q(**{f"{field}__iexact": value}),
        Is.CONTAINS: lambda: Q(**{f"{field}__icontains": value}),
        Is.STARTS_WITH: lambda: Q(**{f"{field}__istartswith": value}),
        Is.FILLED: lambda: ~Q(**{field: ""}),
        Is.EMPTY: lambda: Q(**{field: ""}),
    }
    return restrictions[condition.comparison]()


def _number(value: str, *, whole: bool) -> Q:
    digits = "".join(c for c in value if c.isascii() and c.isdecimal())
    if not digits:
        return _NOBODY
    return Q(phone_number=f"+{digits}") if whole else Q(phone_number__startswith=f"+{digits}")


def _attribute(condition: Condition, moment: Moment) -> Q:
    if condition.comparison in (Is.FILLED, Is.EMPTY):
        return _is_null(AttributeText(condition.name), wanted=condition.comparison == Is.EMPTY)
    by_kind = {
        AttributeKind.NUMBER: _attribute_number,
        AttributeKind.DATE: _attribute_date,
        AttributeKind.YES_NO: _attribute_yes_no,
    }
    return by_kind.get(AttributeKind(condition.kind), _attribute_text)(condition, moment)


def _attribute_text(condition: Condition, _moment: Moment) -> Q:
    name, value = condition.name, condition.value
    if condition.comparison == Is.EQUALS:
        return _has(name, _as_stored(value))
    if condition.comparison == Is.NOT_EQUALS:
        return ~_has(name, _as_stored(value))
    lookup = "icontains" if condition.comparison == Is.CONTAINS else "istartswith"
    return _compared(AttributeText(name), lookup, value)


def _attribute_number(condition: Condition, _moment: Moment) -> Q:
    lookup = {Is.AT_LEAST: "gte", Is.AT_MOST: "lte"}.get(condition.comparison, "exact")
    restriction = _compared(AttributeNumber(condition.name), lookup, float(condition.value))
    if condition.comparison == Is.NOT_EQUALS:
        return ~restriction | _is_null(AttributeNumber(condition.name), wanted=True)
    return restriction


def _attribute_date(condition: Condition, moment: Moment) -> Q:
    name, today = condition.name, timezone.localtime(moment.as_of).date()
    if condition.comparison == Is.ANNIVERSARY:
        return _compared(AttributeDate(name), "endswith", f"-{today:%m-%d}")
    if condition.comparison == Is.IN_LAST_DAYS:
        first, last = today - timedelta(days=condition.value), today
    elif condition.comparison == Is.IN_NEXT_DAYS:
        first, last = today, today + timedelta(days=condition.value)
    else:
        lookup = {Is.BEFORE: "lt", Is.AFTER: "gt"}.get(condition.comparison, "exact")
        return _compared(AttributeDate(name), lookup, condition.value.isoformat())
    after = _compared(AttributeDate(name), "gte", first.isoformat())
    return after & _compared(AttributeDate(name), "lte", last.isoformat())


def _attribute_yes_no(condition: Condition, _moment: Moment) -> Q:
    return _has(condition.name, [condition.comparison == Is.YES])


def _as_stored(text: str) -> list[Any]:
    """What a file or form may have made of the text: the text, or a number that reads so."""
    found: list[Any] = [text]
    try:
        number = float(text)
    except ValueError:
        return found
    if abs(number) < 1e15:
        found.append(int(number) if number == int(number) else number)
    return found


def _has(name: str, values: list[Any]) -> Q:
    """The attribute is one of these values. On PostgreSQL by containment, which its index serves."""
    if connection.vendor == "postgresql":
        either = [Q(attributes__contains={spelling: value}) for spelling in spellings(name) for value in values]
        return reduce(operator.or_, either)
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return _compared(AttributeText(name), "in", texts)


def _compared(expression: Any, lookup: str, value: Any) -> Q:
    """`expression` compared, as a restriction. NULL counts as false, so that its opposite includes it."""
    return _condition_of(expression.get_lookup(lookup), expression, value)


def _is_null(expression: Any, *, wanted: bool) -> Q:
    return _condition_of(expression.get_lookup("isnull"), expression, wanted)


def _condition_of(lookup: Any, expression: Any, value: Any) -> Q:
    return Q(Coalesce(lookup(expression, value), Value(False), output_field=BooleanField()))


_COMPILERS: dict[On, Callable[[Condition, Moment], Q]] = {
    On.GROUP: _group,
    On.ATTRIBUTE: _attribute,
    On.CONSENT: _consent,
    On.OPTED_OUT: _opted_out,
    On.IMPORT: _import,
    On.CREATED_AT: _created_at,
    On.MESSAGE: _message,
    On.REPLY: _reply,
}
