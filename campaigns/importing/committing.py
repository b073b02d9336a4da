"""
The second half of an import: the good rows become contacts, in chunks, each all or nothing.

New people are made by the database itself out of the stored rows. Whoever was a contact before is compared again, under
lock, and what was really changed is noted on the row: that is what can be undone.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from campaigns.archiving import note_contacts
from campaigns.memberships import add_members
from campaigns.models import Contact, ContactImport, ContactImportRow, ImportStatus, RowKind
from campaigns.sending.bulk_update import update_rows

from .checking import GOOD
from .consent_history import note_consents
from .lookups import current_contacts
from .new_contacts import insert_new_contacts, join_new_contacts
from .rules import Outcome, Rules

CHUNK_ROWS = 5000
EXISTING = (RowKind.CHANGED, RowKind.UNCHANGED)
#: A change may be stamped so long before others see it: its transaction was still open.
_UNSEEN_CHANGES = timedelta(minutes=10)


def commit(contact_import_id: int, *, seconds: float | None = None) -> bool:
    """
    Import the good rows of a confirmed import; True if there are more to import.

    Works for about `seconds` at most (None: to the end); after True, or after a crash, call it again: it goes on where
    it stopped. Two calls at once do no harm: one of them stops. The counters end as what was done, should contacts have
    changed since the check.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    contact_import = ContactImport.objects.get(pk=contact_import_id)
    if contact_import.status != ImportStatus.IMPORTING:
        return False
    if _refuse_without_permission(contact_import):
        return False
    group_ids = sorted(contact_import.groups.values_list("pk", flat=True))
    while (end := end_of_chunk(contact_import)) is not None:
        if not _commit_chunk(contact_import, end, group_ids):
            return False  # cancelled, or somebody else is at it
        contact_import.cursor = end
        if deadline is not None and time.monotonic() > deadline:
            return True
    _move(contact_import, contact_import.cursor, status=ImportStatus.DONE, finished_at=timezone.now())
    return False


def _refuse_without_permission(contact_import: ContactImport) -> bool:
    """Nothing is begun for somebody who has lost the permission since; what was begun is finished."""
    user = contact_import.created_by
    if user is None or contact_import.cursor or user.has_perm("campaigns.import_contact"):
        return False
    problem = _("%(user)s may not import contacts any more.") % {"user": user}
    begun = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.IMPORTING, cursor=0)
    begun.update(status=ImportStatus.REFUSED, problem=problem, finished_at=timezone.now())
    return True


def end_of_chunk(contact_import: ContactImport) -> int | None:
    """The number of the last of the next rows, at most CHUNK_ROWS of them; None if there are no more."""
    numbers = contact_import.rows.filter(number__gt=contact_import.cursor).values_list("number", flat=True)
    first = numbers.order_by("number").first()
    return None if first is None else numbers.filter(number__lt=first + CHUNK_ROWS).order_by("-number").first()


@transaction.atomic
def _commit_chunk(contact_import: ContactImport, end: int, group_ids: list[int]) -> bool:
    cursor = contact_import.cursor
    if not _move(contact_import, end):
        return False
    rows = contact_import.rows.filter(number__gt=cursor, number__lte=end).exclude(phone_number="")
    counts = rows.aggregate(new=Count("pk", filter=Q(kind=RowKind.NEW)), old=Count("pk", filter=Q(kind__in=EXISTING)))
    now = timezone.now()
    made = insert_new_contacts(contact_import, cursor, end, now) if counts["new"] else 0
    if made:
        join_new_contacts(contact_import, cursor, end, now, group_ids)
    kinds = EXISTING if made == counts["new"] else GOOD
    if counts["old"] or made != counts["new"]:
        known = rows.filter(kind__in=kinds).exclude(_nothing_to_do(contact_import, group_ids))
        known = known.defer("cells", "column", "reason", "remark")
        _write_known(contact_import, list(known), now, group_ids)
    note_consents(contact_import, cursor, end, now)
    return True


def _nothing_to_do(contact_import: ContactImport, group_ids: list[int]) -> Q:
    """Rows that change nothing, whose contacts nobody has touched since the check and who are in all groups already."""
    contacts = Contact.objects.in_use().filter(
        phone_number=OuterRef("phone_number"), updated_at__lt=contact_import.created_at - _UNSEEN_CHANGES
    )
    for group_id in group_ids:
        member = Contact.groups.through.objects.filter(contact_id=OuterRef("pk"), contactgroup_id=group_id)
        contacts = contacts.filter(Exists(member))
    return Q(Exists(contacts), kind=RowKind.UNCHANGED)


def _move(contact_import: ContactImport, new_cursor: int, **updates: Any) -> bool:
    """Move the cursor; False if it is not where this run left it, or the import not being imported any more."""
    mine = ContactImport.objects.filter(
        pk=contact_import.pk, status=ImportStatus.IMPORTING, cursor=contact_import.cursor
    )
    return mine.update(cursor=new_cursor, heartbeat_at=timezone.now(), **updates) == 1


def _write_known(
    contact_import: ContactImport, rows: list[ContactImportRow], now: datetime, group_ids: list[int]
) -> None:
    """
    Those who were contacts before, or have become it since the check, or no longer are.

    What they have is read under lock and only differences are written, so nothing is lost whoever was first.
    """
    rules = Rules.of(contact_import)
    numbers = [row.phone_number for row in rows]
    contacts = current_contacts(numbers, lock=True)
    if moved := _read_as_in_the_file(rows, contacts):
        contacts |= current_contacts(moved, lock=True)
    rows = [row for row in rows if not _is_made_now(row, contacts.get(row.phone_number), now)]
    vanished = {row.phone_number for row in rows} - set(contacts)
    if vanished:
        contacts.update(_make_again(contact_import, vanished, rows, now, group_ids))
    outcomes = {
        row.pk: Outcome(RowKind.NEW)
        if row.phone_number in vanished
        else rules.outcome(
            contacts[row.phone_number], row.values, opted_out=row.opted_out, is_former=bool(row.file_number)
        )
        for row in rows
    }
    _update_contacts(contacts, rows, outcomes, now)
    back = [row.phone_number for row in rows if "archived_at" in (outcomes[row.pk].written or {})]
    note_contacts(back, archived=False, actor=None, **{"import": contact_import.pk})
    _note_differences(contact_import, rows, outcomes)
    _join_known([row for row in rows if row.phone_number not in vanished], contacts, group_ids)


def _read_as_in_the_file(rows: list[ContactImportRow], contacts: dict[str, dict[str, Any]]) -> list[str]:
    """Whose contact is gone since the check is nobody's former number any more: the file's own numbers, which count."""
    alone = [row for row in rows if row.file_number and row.phone_number not in contacts]
    for row in alone:
        row.phone_number, row.file_number = row.file_number, ""
    update_rows(ContactImportRow, ("phone_number",), [(row.phone_number, row.pk) for row in alone], file_number="")
    return [row.phone_number for row in alone]


def _is_made_now(row: ContactImportRow, contact: dict[str, Any] | None, now: datetime) -> bool:
    return row.kind == RowKind.NEW and contact is not None and contact["created_at"] == now


def _make_again(
    contact_import: ContactImport, numbers: set[str], rows: list[ContactImportRow], now: datetime, group_ids: list[int]
) -> dict[str, dict[str, Any]]:
    """People who were contacts at the check and have been deleted since."""
    for row in (row for row in rows if row.phone_number in numbers):
        insert_new_contacts(contact_import, row.number - 1, row.number, now, kind=None)
        join_new_contacts(contact_import, row.number - 1, row.number, now, group_ids, kind=None)
    return current_contacts(numbers)


def _update_contacts(
    contacts: dict[str, dict[str, Any]], rows: list[ContactImportRow], outcomes: dict[int, Outcome], now: datetime
) -> None:
    """In one statement for all that get values in the same fields: nearly all rows of a file are alike."""
    by_fields: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        written = outcomes[row.pk].written
        if written:
            values = (as_stored(name, value) for name, value in written.items())
            by_fields.setdefault(tuple(written), []).append((*values, contacts[row.phone_number]["pk"]))
    for names, updates in by_fields.items():
        update_rows(Contact, names, updates, updated_at=now)


def as_stored(name: str, value: Any) -> Any:
    """A value of `written` as `update_rows()` takes it."""
    if name == "attributes":
        return json.dumps(value)
    if name in ("consented_at", "archived_at") and value is not None:
        return parse_datetime(value)
    return value


def _note_differences(
    contact_import: ContactImport, rows: list[ContactImportRow], outcomes: dict[int, Outcome]
) -> None:
    """Rows that came to something else than the check had foreseen: their kind, and what there is to undo."""
    counts: dict[str, int] = {}
    differing = []
    for row in rows:
        outcome = outcomes[row.pk]
        if outcome.kind != row.kind:
            counts[f"{row.kind}_count"] = counts.get(f"{row.kind}_count", 0) - 1
            counts[f"{outcome.kind}_count"] = counts.get(f"{outcome.kind}_count", 0) + 1
        if outcome.kind != row.kind or outcome.before != row.before:
            written = None if outcome.written is None else json.dumps(outcome.written)
            differing.append((str(outcome.kind), json.dumps(dict(outcome.before)), written, row.pk))
    update_rows(ContactImportRow, ("kind", "before", "written"), differing)
    if counts:
        changes = {name: F(name) + by for name, by in counts.items()}
        ContactImport.objects.filter(pk=contact_import.pk).update(**changes)


def _join_known(rows: list[ContactImportRow], contacts: dict[str, dict[str, Any]], group_ids: list[int]) -> None:
    """Memberships are no change of a contact; those that exist already cost no write. What is new is noted."""
    membership = Contact.groups.through
    row_of = {contacts[row.phone_number]["pk"]: row.pk for row in rows if row.phone_number in contacts}
    joined: dict[int, list[int]] = {}
    for group_id in group_ids:
        members = membership.objects.filter(contactgroup_id=group_id, contact_id__in=row_of)
        missing = sorted(set(row_of) - set(members.values_list("contact_id", flat=True)))
        if missing:
            add_members(group_id, missing)
        for contact_id in missing:
            joined.setdefault(row_of[contact_id], []).append(group_id)
    update_rows(ContactImportRow, ("joined",), [(json.dumps(ids), pk) for pk, ids in joined.items()])
