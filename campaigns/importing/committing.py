"""The second half of an import: the good rows become contacts, in chunks, each all or nothing."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from campaigns.models import Contact, ContactImport, ContactImportRow, ImportStatus, RowKind
from campaigns.resources import ContactResource

from .checking import CHUNK_ROWS, GOOD, current_contacts, kind_of

_WRITTEN_FIELDS = (*ContactResource.VALUE_FIELDS, "updated_at")


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
    group_ids = list(contact_import.groups.values_list("pk", flat=True))
    cursor = contact_import.cursor
    while rows := _next_rows(contact_import, cursor):
        if not _commit_chunk(contact_import, cursor, rows, group_ids):
            return False  # cancelled, or somebody else is at it
        cursor = rows[-1].number
        if deadline is not None and time.monotonic() > deadline:
            return True
    _move(contact_import, cursor, cursor, status=ImportStatus.DONE, finished_at=timezone.now())
    return False


def _next_rows(contact_import: ContactImport, cursor: int) -> list[ContactImportRow]:
    rows = contact_import.rows.filter(number__gt=cursor, kind__in=GOOD).order_by("number")
    return list(rows.only("contact_import", "number", "kind", "phone_number", "values")[:CHUNK_ROWS])


@transaction.atomic
def _commit_chunk(
    contact_import: ContactImport, cursor: int, rows: list[ContactImportRow], group_ids: list[int]
) -> bool:
    if not _move(contact_import, cursor, rows[-1].number):
        return False
    outcome, contact_ids = _write_contacts(rows)
    _correct_figures(contact_import, rows, outcome)
    _add_to_groups(contact_ids, group_ids)
    return True


def _move(contact_import: ContactImport, cursor: int, new_cursor: int, **updates: Any) -> bool:
    """Move the cursor; False if it is not where this run left it, or the import not being imported any more."""
    mine = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.IMPORTING, cursor=cursor)
    return mine.update(cursor=new_cursor, heartbeat_at=timezone.now(), **updates) == 1


def _write_contacts(rows: list[ContactImportRow]) -> tuple[dict[str, RowKind], list[int]]:
    """
    Make and update contacts; says by number what was done, and the ids of all of them.

    New ones are inserted first, leaving out those that somebody else makes at this moment; then what all of them have
    is read under lock and only differences are written, so nothing is lost whoever was first.
    """
    values = {row.phone_number: row.values for row in rows}
    present = current_contacts(values)
    outcome = {number: RowKind.NEW for number in values if number not in present}
    Contact.objects.bulk_create([_new_contact(number, values[number]) for number in outcome], ignore_conflicts=True)

    locked = {number: it["pk"] for number, it in present.items()}
    list(Contact.objects.select_for_update().filter(pk__in=locked.values()).values_list("pk"))
    contacts = current_contacts(values)
    updated = []
    for number, current in contacts.items():
        kind, _before = kind_of(current, values[number])
        if number in present:
            outcome[number] = kind
        if kind == RowKind.CHANGED:
            updated.append(_updated_contact(current, values[number]))
    # By way of an insert that meets the existing number: many times faster than bulk_update().
    Contact.objects.bulk_create(
        updated, update_conflicts=True, unique_fields=["phone_number"], update_fields=_WRITTEN_FIELDS
    )
    return outcome, [current["pk"] for current in contacts.values()]


def _new_contact(phone_number: str, values: dict[str, Any]) -> Contact:
    contact = Contact(phone_number=phone_number, **values)
    contact.fill_from_number()
    return contact


def _updated_contact(current: dict[str, Any], values: dict[str, Any]) -> Contact:
    fields = {name: current[name] for name in ContactResource.VALUE_FIELDS}
    return Contact(phone_number=current["number"], **{**fields, **ContactResource.changes(current, values)})


def _correct_figures(contact_import: ContactImport, rows: list[ContactImportRow], outcome: dict[str, RowKind]) -> None:
    """Rows that came to something else than the check had foreseen."""
    moved = [row for row in rows if outcome[row.phone_number] != row.kind]
    if not moved:
        return
    changes: dict[str, int] = {}
    for row in moved:
        changes[f"{row.kind}_count"] = changes.get(f"{row.kind}_count", 0) - 1
        row.kind = outcome[row.phone_number]
        changes[f"{row.kind}_count"] = changes.get(f"{row.kind}_count", 0) + 1
    ContactImportRow.objects.bulk_update(moved, ["kind"])
    ContactImport.objects.filter(pk=contact_import.pk).update(**{name: F(name) + by for name, by in changes.items()})


def _add_to_groups(contact_ids: list[int], group_ids: list[int]) -> None:
    """Memberships are no change of a contact; those that exist already cost no write."""
    membership = Contact.groups.through
    for group_id in group_ids:
        members = membership.objects.filter(contactgroup_id=group_id, contact_id__in=contact_ids)
        missing = set(contact_ids) - set(members.values_list("contact_id", flat=True))
        membership.objects.bulk_create(
            [membership(contact_id=contact_id, contactgroup_id=group_id) for contact_id in sorted(missing)],
            ignore_conflicts=True,
        )
