"""
Taking an import back: people it made go, values it changed return, memberships too; what others did since stays.

In chunks, each all or nothing, like the commit. A contact counts as touched if anything of it was written since it was
made, or anything in the database is about it: a message, a reply, another group.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import CharField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from campaigns.archiving import note_contacts
from campaigns.audit import record
from campaigns.composing import normalise_name
from campaigns.consent import note_changes, rule_for, suppress_marketing
from campaigns.models import (
    CampaignKind,
    Consent,
    ConsentAct,
    ConsentChange,
    ConsentKind,
    Contact,
    ContactImport,
    ContactImportRow,
    ImportStatus,
    RowKind,
    User,
)
from campaigns.sending.bulk_update import update_rows

from .committing import EXISTING, as_stored, end_of_chunk
from .lookups import current_contacts
from .made_group import fate_of_group, remove_if_empty
from .rules import as_json, given_at


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """
    What undoing would do, in people: new ones that go and stay, changed ones that get their former values back (of whom
    `edited` were changed since, and keep what was), and older contacts who leave the import's groups.

    `group` is the name of the group that the import made, empty if there is none (any more); `group_goes`, whether it
    goes as well.
    """

    removed: int
    kept: int
    restored: int
    edited: int
    leaving: int
    group: str
    group_goes: bool


def can_be_undone(contact_import: ContactImport) -> bool:
    """Imports from before there was undoing did not note what is needed for it."""
    return contact_import.status == ImportStatus.DONE and "confirmed_at" in contact_import.undo


def undo_plan(contact_import: ContactImport) -> UndoPlan:
    """What `undo()` would do now. It reads all rows of the import: seconds for a million."""
    rows = contact_import.rows.order_by()
    removed = _untouched(contact_import, rows).count()
    changed = _contacts_of(rows.filter(kind=RowKind.CHANGED))
    restored = changed.count()
    edited = changed.filter(updated_at__gt=contact_import.finished_at or timezone.now()).count()
    leaving = rows.filter(kind__in=EXISTING, joined__isnull=False).count()
    return UndoPlan(
        removed, contact_import.new_count - removed, restored, edited, leaving, *fate_of_group(contact_import)
    )


def begin_undo(contact_import: ContactImport, *, actor: User | None = None) -> bool:
    """Let the import be taken back by `undo()`. False if that was decided before (a second click)."""
    if not can_be_undone(contact_import):
        return False
    with transaction.atomic():
        done = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.DONE)
        if not done.update(status=ImportStatus.UNDOING, cursor=0, heartbeat_at=timezone.now()):
            return False
        count = contact_import.new_count + contact_import.changed_count
        details = {"import": contact_import.pk}
        record("undo_import", actor=actor, subject=contact_import.file_name, count=count, details=details)
    contact_import.refresh_from_db()
    return True


def undo(contact_import_id: int, *, seconds: float | None = None) -> bool:
    """
    Take an import back; True if there is more to do.

    Works for about `seconds` at most (None: to the end); after True, or after a crash, call it again: it goes on where
    it stopped. Two calls at once do no harm: one of them stops. What was done is counted in `ContactImport.undo`.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    contact_import = ContactImport.objects.get(pk=contact_import_id)
    if contact_import.status != ImportStatus.UNDOING:
        return False
    while (end := end_of_chunk(contact_import)) is not None:
        with translation.override(contact_import.language or translation.get_language()):
            if not _undo_chunk(contact_import, end):
                return False  # somebody else is at it
        if deadline is not None and time.monotonic() > deadline:
            return True
    _end(contact_import)
    return False


@transaction.atomic
def _end(contact_import: ContactImport) -> None:
    if not _move(contact_import, contact_import.cursor, {}, status=ImportStatus.UNDONE):
        return  # somebody else has
    if name := remove_if_empty(contact_import):
        contact_import.undo = {**contact_import.undo, "group_removed": name}
        ContactImport.objects.filter(pk=contact_import.pk).update(undo=contact_import.undo)


@transaction.atomic
def _undo_chunk(contact_import: ContactImport, end: int) -> bool:
    rows = contact_import.rows.order_by().filter(number__gt=contact_import.cursor, number__lte=end)
    if not _move(contact_import, end, {}):
        return False
    new, changed = rows.filter(kind=RowKind.NEW), list(rows.filter(kind=RowKind.CHANGED))
    # Whoever writes to or about one of these contacts now waits, or was first and is seen by what is asked next.
    list(_contacts_of(new).select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    removed = _remove(contact_import, new)
    restored, edited = _restore(contact_import, changed)
    left = _leave_groups(contact_import, rows)
    figures = {"removed": removed, "kept": new.count() - removed, "restored": restored, "edited": edited, "left": left}
    return _move(contact_import, end, figures)


def _move(contact_import: ContactImport, new_cursor: int, figures: Mapping[str, int], **updates: Any) -> bool:
    """Move the cursor and add to the figures; False if the cursor is not where this run left it."""
    added = {name: contact_import.undo.get(name, 0) + count for name, count in figures.items()}
    undo = {**contact_import.undo, **added}
    mine = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.UNDOING, cursor=contact_import.cursor)
    if not mine.update(cursor=new_cursor, heartbeat_at=timezone.now(), undo=undo, **updates):
        return False
    contact_import.cursor, contact_import.undo = new_cursor, undo
    return True


def _contacts_of(rows: QuerySet[ContactImportRow]) -> QuerySet[Contact, Contact]:
    # As plain text: PhoneNumberField would parse each number.
    contacts = Contact.objects.annotate(number=ExpressionWrapper(F("phone_number"), output_field=CharField()))
    return contacts.filter(number__in=rows.values("phone_number")).order_by()


def _untouched(contact_import: ContactImport, rows: QuerySet[ContactImportRow]) -> QuerySet[Contact, Contact]:
    """The people whom the import made of these rows and nobody has done anything with since."""
    made_between = (parse_datetime(contact_import.undo["confirmed_at"]), contact_import.finished_at or timezone.now())
    contacts = _contacts_of(rows.filter(kind=RowKind.NEW)).filter(
        created_at=F("updated_at"), created_at__range=made_between
    )
    for relation in Contact._meta.related_objects:
        about = relation.related_model._default_manager.filter(**{relation.field.name: OuterRef("pk")})  # type: ignore[union-attr]
        if relation.related_model is ConsentChange:
            about = about.exclude(_noted_by(contact_import))
        contacts = contacts.filter(~Exists(about))
    groups = contact_import.groups.values_list("pk", flat=True)
    elsewhere = Contact.groups.through.objects.filter(contact_id=OuterRef("pk")).exclude(contactgroup_id__in=groups)
    return contacts.filter(~Exists(elsewhere))


def _noted_by(contact_import: ContactImport) -> Q:
    """What the import itself wrote into the history of consent."""
    return Q(act=ConsentAct.GIVEN, source=contact_import.consent_source, happened_at=given_at(contact_import))


def _remove(contact_import: ContactImport, new: QuerySet[ContactImportRow]) -> int:
    people = list(_untouched(contact_import, new).values_list("pk", "number", "consent"))  # type: ignore[misc]
    ids = [pk for pk, _number, _consent in people]
    # The history is of numbers: it stays, and says that the consent was taken back.
    ConsentChange.objects.filter(contact_id__in=ids).update(contact=None)
    _note_no_consent(contact_import, [(None, number) for _pk, number, consent in people if consent == Consent.GIVEN])
    memberships = Contact.groups.through.objects.filter(contact_id__in=ids)
    memberships._raw_delete(memberships.db)
    contacts = Contact.objects.filter(pk__in=ids)
    contacts._raw_delete(contacts.db)  # nothing is about them, so there is nothing to collect
    return len(ids)


def _note_no_consent(contact_import: ContactImport, people: list[tuple[int | None, str]]) -> None:
    if people:
        source = _("import of %(name)s undone") % {"name": contact_import.file_name}
        kind, at = ConsentKind.MARKETING, timezone.now()
        note_changes(people, Consent.UNKNOWN, kind=kind, source=source, evidence="", at=at, actor=None)


def _restore(contact_import: ContactImport, rows: list[ContactImportRow]) -> tuple[int, int]:
    """Give values back that are still as the import wrote them; how many contacts got any, and how many kept any."""
    contacts = current_contacts((row.phone_number for row in rows), lock=True)
    by_fields: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    no_consent: list[tuple[int | None, str]] = []
    put_away: list[str] = []
    edited = 0
    for row in rows:
        contact = contacts.get(row.phone_number)
        if contact is None:
            continue
        former, is_edited = former_values(row, contact)
        edited += is_edited
        if former:
            if former.get("consent") == Consent.UNKNOWN:
                no_consent.append((contact["pk"], row.phone_number))
            if "archived_at" in former:
                put_away.append(row.phone_number)
            values = (as_stored(name, value) for name, value in former.items())
            by_fields.setdefault(tuple(former), []).append((*values, contact["pk"]))
    now = timezone.now()
    for names, updates in by_fields.items():
        update_rows(Contact, names, updates, updated_at=now)
    _note_no_consent(contact_import, no_consent)
    note_contacts(put_away, archived=True, actor=None, **{"import": contact_import.pk})
    suppress_marketing([pk for pk, _number in no_consent if pk], rule_for(CampaignKind.MARKETING))
    return sum(len(updates) for updates in by_fields.values()), edited


def former_values(row: ContactImportRow, contact: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What a contact had before this row, where it still has what the row wrote; and whether anything else it has."""
    former: dict[str, Any] = {}
    is_edited = False
    for name, written in (row.written or {}).items():
        before, now = row.before.get(name), as_json(contact[name])
        if name == "attributes":
            values, differs = _former_attributes(before or {}, written, now or {})
            is_edited |= differs
            if values != now:
                former[name] = values
        elif _same(now, written):
            former[name] = before
        else:
            is_edited = True
    return former, is_edited


def _same(now: Any, written: Any) -> bool:
    if now == written:
        return True
    moments = [parse_datetime(value) if isinstance(value, str) else None for value in (now, written)]
    return None not in moments and moments[0] == moments[1]


def _former_attributes(
    before: dict[str, Any], written: dict[str, Any], now: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Attribute by attribute, named without case."""
    values, is_edited = dict(now), False
    had = {normalise_name(name): (name, value) for name, value in before.items()}
    for name, value in written.items():
        key = normalise_name(name)
        if key in had and had[key][1] == value:
            continue  # the import did not change this one
        if name not in now or now[name] != value:
            is_edited = True
        elif key in had:
            values[name] = had[key][1]
        else:
            del values[name]
    return values, is_edited


def _leave_groups(contact_import: ContactImport, rows: QuerySet[ContactImportRow]) -> int:
    """Take out of the import's groups whoever joined them by it; how many older contacts left one."""
    membership = Contact.groups.through.objects
    groups = list(contact_import.groups.values_list("pk", flat=True))
    kept = _contacts_of(rows.filter(kind=RowKind.NEW)).values("pk")
    membership.filter(contactgroup_id__in=groups, contact_id__in=kept).delete()
    joined = list(rows.filter(kind__in=EXISTING, joined__isnull=False))
    by_groups: dict[tuple[int, ...], list[str]] = {}
    for row in joined:
        by_groups.setdefault(tuple(row.joined or ()), []).append(row.phone_number)
    for group_ids, numbers in by_groups.items():
        contacts = [contact["pk"] for contact in current_contacts(numbers).values()]
        membership.filter(contactgroup_id__in=group_ids, contact_id__in=contacts).delete()
    return len(joined)
