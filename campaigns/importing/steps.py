"""An import's way from the file to the contacts. The admin and the command go through these."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.core.files import File
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns.audit import record
from campaigns.models import ContactGroup, ContactImport, ImportStatus, RowKind, User

from .looking import look, remember_source
from .made_group import MADE_GROUP
from .tables import Reading

#: A step under way that showed no sign of life for so long has lost its worker.
STALLED_AFTER = timedelta(minutes=2)
NOT_CONFIRMED = (ImportStatus.UPLOADED, ImportStatus.CHECKING, ImportStatus.CHECKED)
UNDER_WAY = (ImportStatus.CHECKING, ImportStatus.IMPORTING, ImportStatus.UNDOING)


def start(
    file: File[bytes],
    *,
    file_name: str,
    region: str,
    groups: Iterable[ContactGroup] = (),
    new_group: str = "",
    actor: User | None = None,
    look_first: bool = False,
    **rules: Any,
) -> ContactImport:
    """
    Keep the file for an import that is to be checked next, or, with `look_first`, once it is said how it is read.

    `new_group` is made when the import is confirmed. `rules` are fields of ContactImport: what the file may change.
    """
    with transaction.atomic():
        contact_import = ContactImport(
            file_name=file_name,
            region=region,
            new_group=new_group,
            language=translation.get_language() or "",
            created_by=actor,
            status=ImportStatus.UPLOADED if look_first else ImportStatus.CHECKING,
            **rules,
        )
        contact_import.file.save(file_name, file, save=False)
        contact_import.save()
        contact_import.groups.set(groups)
        record("upload_import", actor=actor, subject=file_name, details={"import": contact_import.pk})
    return contact_import


def refusal_of_group(name: str) -> str:
    """Why people cannot be put into a group of this name; empty when they can."""
    if not ContactGroup.objects.filter(name=name, conditions__isnull=False).exists():
        return ""
    return _("“%(name)s” is a smart group: whoever meets its conditions is in it. Choose another name.") % {
        "name": name
    }


def read_as(contact_import: ContactImport, reading: Reading) -> bool:
    """Let the file be checked, read so; the next file with such columns is read so as well. False if it is too late."""
    found = look(contact_import, reading)
    with transaction.atomic():
        uploaded = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.UPLOADED)
        if not uploaded.update(
            status=ImportStatus.CHECKING, reading=reading.as_json(), cursor=0, heartbeat_at=timezone.now()
        ):
            return False
        if reading.header_row:
            headers = next((row.cells for row in found.first_rows if row.number == reading.header_row), [])
            remember_source(contact_import, headers, reading)
    contact_import.refresh_from_db()
    return True


def read_anew(contact_import: ContactImport) -> bool:
    """Go back to saying how the file is read, of an import that is not confirmed. False if it is too late."""
    sources = (ImportStatus.CHECKING, ImportStatus.CHECKED, ImportStatus.REFUSED)
    counts = {f"{kind}_count": 0 for kind in (*RowKind.values, "opted_out", "remark")}
    with transaction.atomic():
        if not _move(contact_import, sources, ImportStatus.UPLOADED, cursor=0, **counts):
            return False
        rows = contact_import.rows.all()
        rows._raw_delete(rows.db)
        ContactImport.objects.filter(pk=contact_import.pk).update(problem="", finished_at=None, columns={})
    contact_import.refresh_from_db()
    return True


def refuse(contact_import: ContactImport, problem: str) -> None:
    """A file that cannot be read at all; `problem` says why."""
    with transaction.atomic():
        open_imports = ContactImport.objects.filter(
            pk=contact_import.pk, status__in=(ImportStatus.UPLOADED, ImportStatus.CHECKING)
        )
        if open_imports.update(status=ImportStatus.REFUSED, problem=problem, finished_at=timezone.now()):
            contact_import.rows.all().delete()


def percent_done(contact_import: ContactImport) -> int | None:
    """How far what is under way has come; None if that cannot be told."""
    if contact_import.status == ImportStatus.CHECKING:
        percent: int | None = contact_import.columns.get("percent")
        return percent
    last_row = contact_import.columns.get("last_row")
    if contact_import.status not in UNDER_WAY or not last_row:
        return None
    return min(int(contact_import.cursor * 100 / last_row), 100)


def confirm(contact_import: ContactImport, *, actor: User | None = None) -> bool:
    """Let the good rows be imported by `commit()`. False if that was decided before (a second click)."""
    with transaction.atomic():
        if not _move(contact_import, (ImportStatus.CHECKED,), ImportStatus.IMPORTING, cursor=0):
            return False
        undo: dict[str, Any] = {"confirmed_at": timezone.now().isoformat()}
        if contact_import.new_group:
            group, is_made = ContactGroup.objects.get_or_create(name=contact_import.new_group)
            contact_import.groups.add(group)
            undo |= {MADE_GROUP: group.pk} if is_made else {}
        ContactImport.objects.filter(pk=contact_import.pk).update(undo=undo)
        contact_import.undo = undo
        count = contact_import.new_count + contact_import.changed_count
        details = {"import": contact_import.pk}
        record("import", actor=actor, subject=contact_import.file_name, count=count, details=details)
    return True


def cancel(contact_import: ContactImport, *, actor: User | None = None) -> bool:
    """Give up an import that is not confirmed yet. False if it is too late."""
    with transaction.atomic():
        if not _move(contact_import, NOT_CONFIRMED, ImportStatus.CANCELLED):
            return False
        ContactImport.objects.filter(pk=contact_import.pk).update(finished_at=timezone.now())
        record("cancel_import", actor=actor, subject=contact_import.file_name, details={"import": contact_import.pk})
    return True


def stalled_imports() -> list[tuple[int, str]]:
    """Ids and statuses of imports under way that nobody works at any more; `check()` or `commit()` takes them up."""
    silent_since = timezone.now() - STALLED_AFTER
    under_way = ContactImport.objects.filter(status__in=UNDER_WAY, created_at__lt=silent_since)
    return list(under_way.exclude(heartbeat_at__gte=silent_since).values_list("pk", "status"))


def _move(contact_import: ContactImport, sources: Iterable[str], target: ImportStatus, **updates: int) -> bool:
    """Only one of several at once succeeds."""
    mine = ContactImport.objects.filter(pk=contact_import.pk, status__in=sources)
    moved = mine.update(status=target, heartbeat_at=timezone.now(), **updates) == 1
    contact_import.refresh_from_db()
    return moved
