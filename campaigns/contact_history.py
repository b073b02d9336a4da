"""
The history of a contact: messages, receipts, replies, imports, edits, consent, opt-outs and numbers, newest first.

Each source is asked for one page, so a page costs a fixed number of queries at any depth. What was sent to a former
number belongs to the contact until the number was given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, Q, QuerySet
from django.utils.translation import gettext as _

from sms_backends.phone_numbers import canonical

from .models import (
    AuditEvent,
    ConsentAct,
    ConsentChange,
    Contact,
    ContactImportRow,
    FormerNumber,
    ImportStatus,
    InboundMessage,
    MessageEvent,
    OptOut,
    RowKind,
    SentMessage,
)

PAGE = 30
_IMPORTED = {RowKind.NEW, RowKind.CHANGED, RowKind.UNCHANGED}


class Key(NamedTuple):
    """The place of an entry: newer ones first; of one moment, by kind and then by id."""

    at: datetime
    rank: int
    pk: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.rank}~{self.pk}"

    @classmethod
    def read(cls, text: str) -> Key | None:
        """What `str()` gave; None for anything else."""
        try:
            at, rank, pk = text.split("~")
            key = cls(datetime.fromisoformat(at), int(rank), int(pk))
        except ValueError:
            return None
        return key if key.at.tzinfo is not None and abs(key.pk) < 2**63 else None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened. `thing` is the row that tells of it."""

    key: Key
    kind: str
    thing: Any


@dataclass(frozen=True, slots=True)
class History:
    """A page of it. `older` is the key behind which the next page begins, None at the end."""

    entries: list[Entry]
    older: Key | None


@dataclass(frozen=True, slots=True)
class _Source:
    kind: str
    rows: Callable[[_Person], QuerySet[Any]]
    at: str


@dataclass(frozen=True, slots=True)
class _Person:
    contact: Contact
    number: str
    former: list[FormerNumber]
    opt_outs: list[OptOut]

    def during(self, field: str, at: str, spelt: Callable[[str], str] = str) -> Q:
        """Rows of the number, and those of former numbers while they were the person's."""
        found = Q(**{field: spelt(self.number)})
        for former in self.former:
            found |= Q(**{field: spelt(former.phone_number), f"{at}__lte": former.until})
        return found

    def consent_changes(self) -> QuerySet[ConsentChange]:
        return ConsentChange.objects.filter(self.during("canonical_number", "happened_at", canonical))


def history(contact: Contact, *, before: Key | None = None, size: int = PAGE) -> History:
    """A page of the history of this contact, the newest, or what comes behind the key `before`."""
    person = _person(contact)
    found = [entry for entry in _own(person) if before is None or _order(entry.key) > _order(before)]
    for rank, source in enumerate(_SOURCES):
        rows = source.rows(person)
        if before is not None:
            rows = rows.filter(_behind(before, source.at, rank))
        for row in rows.order_by(f"-{source.at}", "-pk")[: size + 1]:
            found.append(Entry(Key(_moment(row, source.at), rank, row.pk), source.kind, row))
    found.sort(key=lambda entry: _order(entry.key))
    return History(found[:size], found[size - 1].key if len(found) > size else None)


def opt_outs_of(contact: Contact) -> list[OptOut]:
    """Opt-outs of the numbers that the contact has or had."""
    return _person(contact).opt_outs


def _person(contact: Contact) -> _Person:
    number = str(getattr(contact.phone_number, "as_e164", contact.phone_number))
    former = list(contact.former_numbers.select_related("recorded_by"))
    wanted = [canonical(it) for it in (number, *(one.phone_number for one in former))]
    opt_outs = list(OptOut.objects.filter(canonical_number__in=wanted).select_related("created_by"))
    return _Person(contact, number, former, opt_outs)


def _order(key: Key) -> tuple[float, int, int]:
    return (-key.at.timestamp(), key.rank, -key.pk)


def _behind(key: Key, at: str, rank: int) -> Q:
    older = Q(**{f"{at}__lt": key.at})
    if rank < key.rank:
        return older
    same = Q(**{at: key.at})
    return older | (same if rank > key.rank else same & Q(pk__lt=key.pk))


def _moment(row: Any, at: str) -> datetime:
    for name in at.split("__"):
        row = getattr(row, name)
    return row  # type: ignore[no-any-return]


def _messages(person: _Person) -> QuerySet[Any]:
    rows = SentMessage.objects.filter(person.during("phone_number", "created_at"))
    return rows.select_related("campaign").defer("provider_response", "campaign__body", "campaign__launch")


def _receipts(person: _Person) -> QuerySet[Any]:
    rows = MessageEvent.objects.filter(person.during("message__phone_number", "message__created_at"))
    return rows.select_related("message", "message__campaign").defer(
        "message__provider_response", "message__campaign__body", "message__campaign__launch"
    )


def _replies(person: _Person) -> QuerySet[Any]:
    return InboundMessage.objects.filter(person.during("phone_number", "received_at"))


def _imports(person: _Person) -> QuerySet[Any]:
    """By way of the imports, which are few: their rows are indexed by import and number."""
    numbers = [person.number, *(former.phone_number for former in person.former)]
    rows = ContactImportRow.objects.filter(
        contact_import__status=ImportStatus.DONE,
        contact_import__finished_at__isnull=False,
        phone_number__in=numbers,
        kind__in=_IMPORTED,
    )
    return rows.select_related("contact_import", "contact_import__created_by")


def _consent(person: _Person) -> QuerySet[Any]:
    return person.consent_changes().select_related("actor")


def _acts(person: _Person) -> QuerySet[Any]:
    """What people did with it; opting out and in again stand in the history of the consent."""
    rows = AuditEvent.objects.filter(person.during("subject", "at"), campaign__isnull=True)
    told = person.consent_changes().filter(act__in=[ConsentAct.OPTED_OUT, ConsentAct.OPTED_IN])
    return rows.exclude(Exists(told), action__in=["opt_out", "opt_in"]).select_related("actor")


_SOURCES = (
    _Source("message", _messages, "created_at"),
    _Source("event", _receipts, "at"),
    _Source("reply", _replies, "received_at"),
    _Source("import", _imports, "contact_import__finished_at"),
    _Source("act", _acts, "at"),
    _Source("consent_change", _consent, "happened_at"),
)


def _own(person: _Person) -> Iterable[Entry]:
    """What stands in the contact itself and in the few rows beside it."""
    rank = len(_SOURCES)
    contact = person.contact
    told = set(person.consent_changes().order_by().values_list("act", "canonical_number").distinct())
    for opt_out in person.opt_outs:
        if (ConsentAct.OPTED_OUT, opt_out.canonical_number) in told:
            continue  # it stands in the history of the consent
        yield Entry(Key(opt_out.opted_out_at, rank, opt_out.pk), "opt_out", opt_out)
    for former in person.former:
        yield Entry(Key(former.until, rank + 1, former.pk), "former_number", former)
    if contact.consented_at is not None and (ConsentAct.GIVEN, canonical(person.number)) not in told:
        yield Entry(Key(contact.consented_at, rank + 2, contact.pk), "consent", contact)
    yield Entry(Key(contact.created_at, rank + 3, contact.pk), "created", contact)


def entry_words(kind: str) -> str:
    """What an entry of this kind is called."""
    return {
        "message": _("Message"),
        "event": _("Receipt"),
        "reply": _("Wrote to us"),
        "import": _("Imported"),
        "opt_out": _("Opted out"),
        "former_number": _("Number given up"),
        "consent": _("Consent"),
        "consent_change": _("Consent"),
        "created": _("Became a contact"),
    }.get(kind, kind)
